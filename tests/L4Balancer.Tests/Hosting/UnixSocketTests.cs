using System.Net.Sockets;
using L4Balancer.CommandLine;

namespace L4Balancer.Tests.Hosting;

/// <summary>A daemon whose clients and backend are on UNIX sockets.</summary>
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class UnixSocketTests
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("l4b-");

    private string Config => $"""
        [balancer]
        access_log = "all"
        [admin]
        socket = "{_folder}/admin.sock"
        [[listeners]]
        name = "chat"
        bind = ["unix:{_folder}/chat.sock"]
        pool = "p"
        [[pools]]
        name = "p"
        source_ips = ["127.0.0.1"]
        [[pools.backends]]
        name = "b1"
        address = "unix:{_folder}/b1.sock"

        """;

    [OneTimeTearDown]
    public void RemoveFolder() => _folder.Delete(recursive: true);

    [Test]
    public async Task Log_status_and_locate_name_paths_and_the_file_goes_at_the_end()
    {
        using Socket backend = Listen();
        await using DaemonProcess daemon = DaemonProcess.Run(Config);
        await daemon.ReadyAsync();
        using (var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            await client.ConnectAsync(new UnixDomainSocketEndPoint($"{_folder}/chat.sock"));
            await client.SendAsync("ping"u8.ToArray());
            using Socket server = await AcceptClientAsync(backend);
            await server.SendAsync("pong"u8.ToArray());
            Assert.That(await client.ReceiveAsync(new byte[4]), Is.EqualTo(4));
            Assert.That(await AskAsync("status", "--json"), Does.Contain($"\"unix:{_folder}/chat.sock\""));
            Assert.That(await AskAsync("connections", "--json"), Does.Contain("\"unix:1\""));
            Assert.That(await AskAsync("backends", "--json"), Does.Contain($"\"unix:{_folder}/b1.sock\""));
            Assert.That(
                await AskAsync("locate", "--listener", "chat", "--source", "unix:1", "--destination", $"unix:{_folder}/chat.sock"),
                Does.Contain($"p/b1 (unix:{_folder}/b1.sock)").And.Contain($"unix:1 to unix:{_folder}/chat.sock"));
        }

        string line = await daemon.LineWithAsync(" reason=");
        Assert.That(line, Does.Contain($" client=unix:1 destination=unix:{_folder}/chat.sock pool=p backend=b1 source=- "));
        daemon.Signal(DaemonProcess.SIGTERM);
        Assert.That(await daemon.ExitAsync(), Is.Zero);
        Assert.That(File.Exists($"{_folder}/chat.sock"), Is.False);
    }

    [TestCase("unix:17", null, 0)]
    [TestCase("unix:/run/a", null, 2)]
    [TestCase("unix:17", "unix:/run/other.sock", 2)]
    [TestCase("10.0.0.1:5", null, 2)]
    public async Task Locate_computes_offline_where_a_client_of_a_UNIX_socket_goes(string source, string? destination, int code)
    {
        using var output = new StringWriter();
        using var errors = new StringWriter();
        string[] to = destination is null ? [] : ["--destination", destination];

        int result = await CommandLineRoot.InvokeAsync(
            ["locate", "--config", DaemonProcess.ConfigFileWith(Config), "--listener", "chat", "--source", source, .. to], output, errors);

        Assert.That(result, Is.EqualTo(code), $"{output}{errors}");
        Assert.That(output.ToString(), code == 0 ? Does.Contain($"unix:17 to unix:{_folder}/chat.sock") : Is.Empty);
    }

    private Socket Listen()
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint($"{_folder}/b1.sock"));
        socket.Listen(100);
        return socket;
    }

    // Probes connect as well, and close at once.
    private static async Task<Socket> AcceptClientAsync(Socket backend)
    {
        while (true)
        {
            Socket accepted = await backend.AcceptAsync();
            if (await accepted.ReceiveAsync(new byte[4]) == 4)
            {
                return accepted;
            }

            accepted.Dispose();
        }
    }

    private async Task<string> AskAsync(params string[] command)
    {
        using var output = new StringWriter();
        using var errors = new StringWriter();
        int code = await CommandLineRoot.InvokeAsync([.. command, "--admin", $"{_folder}/admin.sock", .. DaemonProcess.Patiently], output, errors);
        Assert.That(code, Is.Zero, errors.ToString());
        return output.ToString();
    }
}
