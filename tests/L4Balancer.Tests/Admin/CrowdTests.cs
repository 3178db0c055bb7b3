using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace L4Balancer.Tests.Admin;

/// <summary>Connections that say nothing to the TCP address of a real daemon's API.</summary>
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class CrowdTests
{
    private SocketFolder _folder = null!;

    [SetUp]
    public void Make_a_folder() => _folder = new SocketFolder();

    [TearDown]
    public void Remove_it() => _folder.Dispose();

    [TestCase(1)]
    [TestCase(200)]
    public async Task Silent_connections_keep_neither_checkers_nor_operators_out(int sources)
    {
        await using DaemonProcess daemon = await OwnDaemon.StartAsync(_folder);
        IPEndPoint admin = await OwnDaemon.TcpAsync(daemon);
        List<Socket> silent = [];
        try
        {
            for (int i = 0; i < 200; i++)
            {
                var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                silent.Add(socket);
                socket.Bind(new IPEndPoint(new IPAddress([127, 0, 1, (byte)(1 + (i % sources))]), 0));
                await socket.ConnectAsync(admin);
            }

            foreach (string path in new[] { "/healthz", "/readyz", "/v1/status", "/v1/backends", "/" })
            {
                Assert.That(await StatusAsync(admin, path), Is.EqualTo(200), path);
            }

            Assert.That(daemon.Output.Where(l => l.Contains("too many connections", StringComparison.Ordinal)), Has.Exactly(1).Contains("127.0.1."));
            JsonElement events = (await _folder.GetAsync("/v1/events")).GetProperty("events");
            Assert.That(events.EnumerateArray().Count(e => e.GetProperty("level").GetString() == "warning"), Is.LessThanOrEqualTo(2));
        }
        finally
        {
            silent.ForEach(s => s.Dispose());
        }
    }

    private static async Task<int> StatusAsync(IPEndPoint admin, string path)
    {
        using TcpClient client = await Talk.ConnectAsync(admin);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"));
        using var reader = new StreamReader(client.GetStream());
        string answer = await reader.ReadToEndAsync().WaitAsync(DaemonProcess.Deadline);
        return answer.Length < 12 ? 0 : int.Parse(answer[9..12], null);
    }
}
