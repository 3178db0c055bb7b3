using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using L4Balancer.CommandLine;

namespace L4Balancer.Tests.Admin;

/// <summary>The commands where the daemon does not answer: one that is stopped still accepts connections, because its kernel does.</summary>
[CancelAfter(120_000)]
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class SilentDaemonTests
{
    private static readonly string[][] Commands =
    [
        ["status"], ["backends", "--json"], ["connections"], ["top"], ["locate", "--listener", "wss", "--source", "203.0.113.7:51234"], ["reload"],
        ["close", "1"], ["close", "--backend", "chat/ws1"], ["drain", "chat/ws1"], ["drain", "chat/ws1", "--rate", "1"], ["ready", "chat/ws1"],
        ["maint", "chat/ws1"], ["weight", "chat/ws1", "5"], ["rebalance", "chat"], ["rebalance", "chat", "--stop"],
    ];

    [Test]
    public async Task Every_command_ends_in_its_time_and_says_so_in_one_line()
    {
        using var folder = new SocketFolder();
        await using DaemonProcess daemon = await StartAsync(folder);
        daemon.Signal(DaemonProcess.SIGSTOP);
        try
        {
            foreach (string[] command in Commands)
            {
                var watch = Stopwatch.StartNew();
                (int code, string output, string errors) = await InvokeAsync(folder.SocketPath, [.. command, "--timeout", "300ms"]);
                Assert.That((code, output), Is.EqualTo((3, "")), command[0]);
                Assert.That(errors, Does.Match($"^l4balancer: {command[0]}: the daemon at [^ ]+ did not answer within 300ms: [^\n]+\n$"));
                Assert.That(watch.Elapsed, Is.LessThan(TimeSpan.FromSeconds(5)), command[0]);
            }

            var whole = Stopwatch.StartNew();
            Assert.That((await InvokeAsync(folder.SocketPath, "status")).Code, Is.EqualTo(3));
            Assert.That(whole.Elapsed, Is.InRange(TimeSpan.FromSeconds(4.9), TimeSpan.FromSeconds(20)), "5 s is the default");
        }
        finally
        {
            daemon.Signal(DaemonProcess.SIGCONT);
        }

        Assert.That((await InvokeAsync(folder.SocketPath, "status")).Code, Is.Zero);
    }

    [TestCase("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", "did not answer within 300ms")]
    [TestCase("HTTP/1.1 200 OK\r\n", "did not answer within 300ms")]
    [TestCase("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\0", "broke off its answer")]
    public async Task An_answer_that_stops_halfway_ends_too(string answer, string expected)
    {
        using var server = new TcpListener(IPAddress.Loopback, 0);
        server.Start();
        Task serving = Task.Run(async () =>
        {
            using TcpClient client = await server.AcceptTcpClientAsync();
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(answer.TrimEnd('\0')));
            if (answer[^1] != '\0')
            {
                await client.GetStream().CopyToAsync(Stream.Null);
            }
        });
        (int code, _, string errors) = await InvokeAsync(server.LocalEndpoint.ToString()!, "status", "--timeout", "300ms");
        Assert.That(code, Is.EqualTo(3));
        Assert.That(errors, Does.Contain(expected));
        await serving.WaitAsync(DaemonProcess.Deadline).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private static async Task<DaemonProcess> StartAsync(SocketFolder folder)
    {
        DaemonProcess daemon = DaemonProcess.Run($"""
            [admin]
            socket = "{folder.SocketPath}"
            [[listeners]]
            name = "wss"
            bind = ["127.0.0.1:0"]
            pool = "chat"
            [[pools]]
            name = "chat"
            backends = [{"{"} name = "ws1", address = "127.0.0.1:9" {"}"}]
            """);
        await daemon.ReadyAsync();
        return daemon;
    }

    private static async Task<(int Code, string Output, string Errors)> InvokeAsync(string address, params string[] args)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var errors = new StringWriter { NewLine = "\n" };
        int code = await CommandLineRoot.InvokeAsync([.. args, "--admin", address], output, errors);
        return (code, output.ToString(), errors.ToString());
    }
}
