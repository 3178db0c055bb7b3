using System.Diagnostics;
using System.Text.Json;
using L4Balancer.CommandLine;

namespace L4Balancer.Tests.Admin;

/// <summary>Since when a backend has been in its state, and on which host that is.</summary>
[CancelAfter(120_000)]
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class StateSinceTests
{
    [Test]
    public async Task The_API_and_the_command_show_since_when_and_the_host_name()
    {
        using var folder = new SocketFolder();
        var peer = new EchoPeer();
        try
        {
            await using DaemonProcess daemon = DaemonProcess.Run($"""
                [admin]
                socket = "{folder.SocketPath}"
                [[listeners]]
                name = "wss"
                bind = ["127.0.0.1:0"]
                pool = "chat"
                [[pools]]
                name = "chat"
                health = {"{"} interval = "100ms", fast_interval = "50ms" {"}"}
                [[pools.backends]]
                name = "ws1"
                address = "localhost:{peer.Endpoint.Port}"
                [[pools.backends]]
                name = "ws2"
                address = "127.0.0.2:9"
                """);
            await daemon.ReadyAsync();
            await daemon.LineWithAsync("backend chat/ws2 (127.0.0.2:9) is down");
            JsonElement first = await BackendAsync(folder, "ws1");
            for (var waited = Stopwatch.StartNew(); first.GetProperty("state").GetString() == "checking" && waited.Elapsed < DaemonProcess.Deadline;)
            {
                await Task.Delay(20);
                first = await BackendAsync(folder, "ws1");
            }

            Assert.That((first.GetProperty("host").GetString(), first.GetProperty("state").GetString()), Is.EqualTo(("localhost", "up")));
            Assert.That((await BackendAsync(folder, "ws2")).GetProperty("host").ValueKind, Is.EqualTo(JsonValueKind.Null));

            await peer.DisposeAsync();
            await daemon.LineWithAsync($"backend chat/ws1 (localhost:{peer.Endpoint.Port}) is down");
            JsonElement down = await BackendAsync(folder, "ws1");
            DateTime since = down.GetProperty("since").GetDateTime();
            Assert.That(down.GetProperty("state").GetString(), Is.EqualTo("down"));
            Assert.That(since, Is.GreaterThan(first.GetProperty("since").GetDateTime()).And.LessThanOrEqualTo(DateTime.UtcNow));
            Assert.That(down.GetProperty("health").GetProperty("last_transition").GetDateTime(), Is.EqualTo(since).Within(TimeSpan.FromMilliseconds(1)));
            Assert.That(down.GetProperty("state_seconds").GetDouble(), Is.InRange(0, (DateTime.UtcNow - since).TotalSeconds + 0.1));

            await SendAsync(folder, "POST", "/v1/backends/chat/ws1/maint");
            JsonElement resting = await BackendAsync(folder, "ws1");
            Assert.That(resting.GetProperty("since").GetDateTime(), Is.GreaterThan(since));
            Assert.That(resting.GetProperty("health").GetProperty("last_transition").GetDateTime(), Is.EqualTo(since).Within(TimeSpan.FromMilliseconds(1)));

            using var output = new StringWriter { NewLine = "\n" };
            Assert.That(await CommandLineRoot.InvokeAsync(["backends", "--admin", folder.SocketPath, .. DaemonProcess.Patiently], output, TextWriter.Null), Is.Zero);
            Assert.That(output.ToString(), Does.Match(@"^BACKEND +ADDRESS +STATE +SINCE").And.Match(@"\nchat/ws1 +localhost:\d+ \(127\.0\.0\.1:\d+\) +maintenance +\d+\.\ds "));
        }
        finally
        {
            await peer.DisposeAsync();
        }
    }

    [Test]
    public async Task Status_names_the_host()
    {
        Assert.That((await AdminScene.GetAsync("/v1/status")).GetProperty("host").GetString(), Is.EqualTo(Environment.MachineName));
        using var output = new StringWriter { NewLine = "\n" };
        Assert.That(await CommandLineRoot.InvokeAsync(["status", "--admin", AdminScene.SocketPath, .. DaemonProcess.Patiently], output, TextWriter.Null), Is.Zero);
        Assert.That(output.ToString(), Does.Match($@"\nhost +{Environment.MachineName}\n"));
    }

    private static async Task<JsonElement> BackendAsync(SocketFolder folder, string name) => await folder.GetAsync($"/v1/backends/chat/{name}");

    private static async Task SendAsync(SocketFolder folder, string method, string path)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        using HttpResponseMessage response = await folder.Http.SendAsync(request);
        Assert.That(response.IsSuccessStatusCode, Is.True);
    }
}
