using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;

namespace L4Balancer.Tests.Demo;

[Category(DaemonProcess.Category)]
internal sealed class DemoTests
{
    [TestCase(DaemonProcess.SIGINT)]
    [TestCase(DaemonProcess.SIGTERM)]
    public async Task It_ends_within_three_seconds_whatever_is_connected(int signal)
    {
        await using DaemonProcess demo = DaemonProcess.Start("demo", "--port", "0");
        using ClientWebSocket ws = await ConnectAsync(demo, "ws");
        using ClientWebSocket wss = await ConnectAsync(demo, "wss");
        Assert.That(await EchoAsync(ws, "plain"), Is.EqualTo("plain"));
        Assert.That(await EchoAsync(wss, "encrypted"), Is.EqualTo("encrypted"));

        // A client that neither reads nor closes.
        using var mute = new TcpClient();
        await mute.ConnectAsync(await demo.ListenerAsync("ws"));
        await mute.GetStream().WriteAsync("GET / HTTP/1.1\r\n"u8.ToArray());

        var watch = Stopwatch.StartNew();
        demo.Signal(signal);
        Assert.That(await demo.ExitAsync(), Is.Zero);
        Assert.That(watch.Elapsed, Is.LessThan(TimeSpan.FromSeconds(3)));
        Assert.That(demo.Errors, Is.Empty);
    }

    [Test]
    public async Task Every_command_that_it_prints_works()
    {
        await using DaemonProcess demo = DaemonProcess.Start("demo", "--port", "0");
        await demo.LineWithAsync("Ctrl-C ends the demo");
        string[] commands = [.. demo.Output.Where(l => l.StartsWith("  ", StringComparison.Ordinal) && l.Contains("://", StringComparison.Ordinal))
            .Select(l => l.Trim()).Where(l => !l.StartsWith("s = ", StringComparison.Ordinal) && !l.StartsWith("and", StringComparison.Ordinal))];
        Assert.That(commands, Has.Length.EqualTo(2), string.Join('\n', demo.Output));
        foreach (string command in commands)
        {
            using Process shell = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", command]) { RedirectStandardOutput = true })!;
            string answer = await shell.StandardOutput.ReadToEndAsync();
            await shell.WaitForExitAsync();
            Assert.That(shell.ExitCode, Is.Zero, command);
            Assert.That(answer, Does.StartWith("hello from ws"), command);
        }
    }

    [Test]
    public async Task Half_of_the_backends_are_plain_and_half_encrypted_and_each_gets_its_turn()
    {
        await using DaemonProcess demo = DaemonProcess.Start("demo", "--port", "0", "--backends", "5");
        IPEndPoint plain = await demo.ListenerAsync("ws");
        var seen = new HashSet<string>();
        for (int i = 0; i < 200 && seen.Count < 3; i++)
        {
            using var http = new HttpClient();
            seen.Add((await http.GetStringAsync(new Uri($"http://{plain}/"))).Split(';')[0]);
        }

        Assert.That(seen, Is.EquivalentTo(new[] { "hello from ws1", "hello from ws2", "hello from ws3" }));
        await demo.ReadyAsync();
        Assert.That(demo.Output, Has.Some.Contains("5 of 5 backends up"));
    }

    [Test]
    public async Task A_port_in_use_is_told_with_the_mend()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        int port = ((IPEndPoint)taken.LocalEndpoint).Port;
        await using DaemonProcess demo = DaemonProcess.Start("demo", "--port", $"{port}");
        Assert.That(await demo.ExitAsync(), Is.EqualTo(1));
        Assert.That(demo.Errors[0], Does.Contain($"127.0.0.1:{port}").And.Contain("in use"));
        Assert.That(demo.Errors[^1], Does.Contain("--port P"));
    }

    private static async Task<ClientWebSocket> ConnectAsync(DaemonProcess demo, string scheme)
    {
        var client = new ClientWebSocket();
        client.Options.RemoteCertificateValidationCallback = static (_, certificate, _, _) => certificate?.Subject == "CN=localhost";
        using var deadline = new CancellationTokenSource(DaemonProcess.Deadline);
        await client.ConnectAsync(new Uri($"{scheme}://{await demo.ListenerAsync(scheme)}/"), deadline.Token);
        return client;
    }

    private static async Task<string> EchoAsync(ClientWebSocket client, string text)
    {
        using var deadline = new CancellationTokenSource(DaemonProcess.Deadline);
        await client.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, true, deadline.Token);
        var received = new byte[1024];
        WebSocketReceiveResult result = await client.ReceiveAsync(received, deadline.Token);
        return Encoding.UTF8.GetString(received, 0, result.Count);
    }
}
