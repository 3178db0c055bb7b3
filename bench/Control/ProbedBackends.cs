using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace L4Balancer.Bench.Control;

/// <summary>Backends that are only there to be probed: their pools in the configuration, and the process that answers for all of them.</summary>
internal static class ProbedBackends
{
    public const ushort TcpPort = 7502;
    public const ushort WebSocketPort = 7503;

    /// <summary>A pool of so many backends, each with an address of its own, all at one port.</summary>
    /// <param name="health">The members of its table <c>health</c>.</param>
    public static string Pool(string name, int net, ushort port, int count, string health)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $$"""
            [[pools]]
            name = "{{name}}"
            health = { {{health}} }
            """);
        for (int i = 0; i < count; i++)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"""
                  [[pools.backends]]
                  name = "{name}{i}"
                  address = "127.{net}.{i / 250}.{(i % 250) + 1}:{port}"
                """);
        }

        return text.ToString();
    }

    /// <summary>Answers probes of both kinds until it is killed.</summary>
    public static int Run()
    {
        AcceptAndClose();
        new WebSocketBackend(WebSocketPort).RunAsync().GetAwaiter().GetResult();
        return 0;
    }

    /// <summary>A thread that takes connections and closes them.</summary>
    public static void AcceptAndClose()
    {
        var backend = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        backend.Bind(new IPEndPoint(IPAddress.Any, TcpPort));
        backend.Listen(4096);
        var answering = new Thread(() =>
        {
            while (true)
            {
                backend.Accept().Dispose();
            }
        })
        {
            IsBackground = true,
        };
        answering.Start();
    }
}
