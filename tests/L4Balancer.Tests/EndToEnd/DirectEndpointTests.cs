using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using L4Balancer.Tests.Truth;

namespace L4Balancer.Tests.EndToEnd;

/// <summary>Clients that ask the daemon for a backend and connect to it directly.</summary>
[CancelAfter(180_000)]
[Category(DaemonProcess.Category)]
internal sealed class DirectEndpointTests
{
    private const int Sources = 1000;
    private const int AsksPerSource = 10;

    private static readonly int[] Weights = [100, 50, 200, 100, 100, 100, 50, 100];

    private DirectoryInfo _folder = null!;

    private string SecretFile => Path.Combine(_folder.FullName, "secret");

    private string AdminSocket => Path.Combine(_folder.FullName, "admin.sock");

    [SetUp]
    public void Make_a_secret()
    {
        _folder = Directory.CreateTempSubdirectory("l4balancer-test-");
        File.WriteAllText(SecretFile, "a secret of the tests, of more than 32 bytes\n");
    }

    [TearDown]
    public void Remove_it() => _folder.Delete(recursive: true);

    [Test]
    public async Task A_thousand_addresses_get_each_backend_by_weight_and_slow_start_and_none_gets_the_draining_one(CancellationToken cancel)
    {
        // The eighth joins by the reload, and is in slow start then.
        string path = DaemonProcess.ConfigFileWith(Eight(AdminSocket, 7));
        await using DaemonProcess daemon = DaemonProcess.Start("run", "--config", path);
        await daemon.ReadyAsync();
        (Uri admin, Uri endpoint) = (await AdminAsync(daemon), await EndpointAsync(daemon));
        using var http = new HttpClient { BaseAddress = admin };
        await File.WriteAllTextAsync(path, Eight(AdminSocket, 8), cancel);
        daemon.Signal(DaemonProcess.SIGHUP);
        await daemon.LineWithAsync("configuration reloaded");
        Assert.That(await RunAsync("drain", "chat/ws4", "--admin", AdminSocket), Does.StartWith("0 "));
        while (await SecondsAsync(http, "ws8", cancel) < 3)
        {
            await Task.Delay(50, cancel);
        }

        double before = await SecondsAsync(http, "ws8", cancel);
        var watch = Stopwatch.StartNew();
        string[] answers = await AskAllAsync(endpoint, cancel);
        TimeSpan took = watch.Elapsed;
        double after = await SecondsAsync(http, "ws8", cancel);

        int[] counts = [.. Enumerable.Range(1, 8).Select(i => answers.Count(a => a == $"ws{i}"))];
        TestContext.Out.WriteLine($"{answers.Length} answers in {took.TotalSeconds:F2} s; slow start {before:F2} to {after:F2} of 10 s: {string.Join(' ', counts)}");
        (double low, double high) = (Ramp(before), Ramp(after));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(answers, Has.Length.EqualTo(Sources * AsksPerSource).And.None.EqualTo(""));
            Assert.That(counts[3], Is.Zero, "the draining one");
            for (int i = 0; i < 8; i++)
            {
                if (i != 3)
                {
                    double least = 0.95 * Share(i, i == 7 ? low : high);
                    double most = 1.05 * Share(i, i == 7 ? high : low);
                    Assert.That(counts[i], Is.InRange(least, most), $"ws{i + 1}");
                }
            }

            var exposition = new Exposition(await http.GetStringAsync("/metrics", cancel));
            Assert.That(exposition.Sum("endpoint_answers_total", "pool=chat", "result=success"), Is.EqualTo(answers.Length));
            Assert.That(exposition.Sum("connections_active", "pool=chat"), Is.Zero, "nothing was relayed");
        }
    }

    [Test]
    public async Task A_page_in_a_browser_connects_to_the_backend_with_its_token(CancellationToken cancel)
    {
        BrowserScene.Require();
        PeerProcess.RequireNode("ws");
        await using PeerProcess backends = PeerProcess.Start("direct-backends.js", SecretFile, "ws1", "ws2", "ws3");
        int[] ports = await backends.PortsAsync(cancel);
        int port = FreePort();
        await using DaemonProcess daemon = DaemonProcess.Run(Three(
            ports, "ws://127.0.0.1:{0}/chat?room=7", $"allow_origins = [\"http://127.0.0.1:{port}\"]\nsecret_file = \"{SecretFile}\"",
            "hash_key = [\"http-query:room\"]", "inspect = \"http\""));
        await daemon.ReadyAsync();
        (Uri admin, Uri endpoint) = (await AdminAsync(daemon), await EndpointAsync(daemon));
        await using PeerProcess page = PeerProcess.Start(
            "direct-page.js", endpoint.ToString().TrimEnd('/'), port.ToString(CultureInfo.InvariantCulture), BrowserScene.Chromium);
        string output = await page.OutputAsync(cancel);
        TestContext.Out.WriteLine(output);
        JsonElement tried = JsonDocument.Parse(output).RootElement;

        using var http = new HttpClient { BaseAddress = admin };
        string located = await http.GetStringAsync("/v1/locate?listener=wss&source=192.0.2.1:1234&query=room%3Droom-7", cancel);
        string owner = JsonDocument.Parse(located).RootElement.GetProperty("backend").GetString()!;
        using (Assert.EnterMultipleScope())
        {
            Assert.That(tried.GetProperty("allowed").TryGetProperty("messages", out JsonElement messages), Is.True);
            Assert.That(messages[0].GetString(), Is.EqualTo($"{{\"backend\":\"{owner}\",\"key\":\"room-7\"}}"), "the backend that locate shows");
            Assert.That(messages[1].GetString(), Is.EqualTo("hello"));
            Assert.That(tried.GetProperty("negotiated").GetProperty("url").GetString(), Does.StartWith("http://127.0.0.1:"));
            Assert.That(tried.GetProperty("negotiated").TryGetProperty("accessToken", out _), Is.True);
            Assert.That(tried.GetProperty("foreign").GetProperty("fault").GetString(), Does.Contain("Failed to fetch"));
            Assert.That(Relayed(await http.GetStringAsync("/metrics", cancel)), Is.Zero);
        }
    }

    [Test]
    public async Task SignalR_s_own_client_follows_to_the_backend(CancellationToken cancel)
    {
        PeerProcess.RequireNode("@microsoft/signalr");
        await using SignalRBackend one = await SignalRBackend.StartAsync("ws1");
        await using SignalRBackend two = await SignalRBackend.StartAsync("ws2");
        await using SignalRBackend three = await SignalRBackend.StartAsync("ws3");
        await using DaemonProcess daemon = DaemonProcess.Run(Three(
            [one.Port, two.Port, three.Port], "ws://127.0.0.1:{0}/hub", $"secret_file = \"{SecretFile}\"", "", ""));
        await daemon.ReadyAsync();
        (Uri admin, Uri endpoint) = (await AdminAsync(daemon), await EndpointAsync(daemon));
        await using PeerProcess client = PeerProcess.Start("direct-signalr.js", $"{endpoint}?pool=chat", "6");
        string[] names = JsonSerializer.Deserialize<string[]>(await client.OutputAsync(cancel))!;

        using var http = new HttpClient { BaseAddress = admin };
        Assert.That(names.CountBy(static n => n), Is.EquivalentTo(new Dictionary<string, int> { ["ws1"] = 2, ["ws2"] = 2, ["ws3"] = 2 }));
        Assert.That(Relayed(await http.GetStringAsync("/metrics", cancel)), Is.Zero);
    }

    [TestCase("ws", "ws://127.0.0.1:{0}/chat?room=7")]
    [TestCase("socketio", "http://127.0.0.1:{0}")]
    public async Task The_code_of_the_document_connects_and_comes_back_as_it_stands(string kind, string url, CancellationToken cancel)
    {
        PeerProcess.RequireNode("ws", "socket.io", "socket.io-client");
        await using PeerProcess backends = PeerProcess.Start("documented-backends.js", Document, SecretFile, "ws1", "ws2", "ws3");
        await using DaemonProcess daemon = DaemonProcess.Run(
            Three(await backends.PortsAsync(cancel), url, $"secret_file = \"{SecretFile}\"", "balance = \"round-robin\"", ""));
        Assert.That(await CodeOfDocumentAsync(daemon, kind, cancel), Has.Length.EqualTo(2).And.Unique.And.All.Match("^ws[123]$"));
    }

    [Test]
    public async Task The_code_of_the_document_for_SignalR_connects_as_it_stands(CancellationToken cancel)
    {
        PeerProcess.RequireNode("@microsoft/signalr");
        await using SignalRBackend one = await SignalRBackend.StartAsync("ws1");
        await using DaemonProcess daemon = DaemonProcess.Run(
            Three([one.Port], "ws://127.0.0.1:{0}/hub", $"secret_file = \"{SecretFile}\"", "", ""));
        Assert.That(await CodeOfDocumentAsync(daemon, "signalr", cancel), Is.EqualTo(["ws1"]));
    }

    [Test]
    public async Task A_drain_holds_at_once_the_command_counts_nothing_and_others_verify_the_token(CancellationToken cancel)
    {
        PeerProcess.RequireNode();
        string socket = AdminSocket;
        await using DaemonProcess daemon = DaemonProcess.Run(
            Three([1, 2, 3], "wss://ws{0}.example.com", $"secret_file = \"{SecretFile}\"\nrate_per_source = 0", "", "")
                .Replace("socket = \"\"", $"socket = \"{socket}\"", StringComparison.Ordinal));
        await daemon.ReadyAsync();
        Uri endpoint = await EndpointAsync(daemon);
        using var http = new HttpClient { BaseAddress = endpoint };

        Assert.That(await RunAsync("drain", "chat/ws2", "--admin", socket), Does.StartWith("0 "));
        for (int i = 0; i < 30; i++)
        {
            Assert.That(await http.GetStringAsync("/v1/endpoint?pool=chat", cancel), Does.Not.Contain("ws2"));
        }

        string shown = await RunAsync("endpoint", "--pool", "chat", "--key", "room", "--json", "--admin", socket);
        string token = JsonDocument.Parse(shown[2..]).RootElement.GetProperty("token").GetString()!;
        string backend = JsonDocument.Parse(shown[2..]).RootElement.GetProperty("backend").GetString()!;
        string asked = await http.GetStringAsync("/v1/endpoint?pool=chat&key=room", cancel);
        await using PeerProcess node = PeerProcess.Start("endpoint-token.js", SecretFile, token);
        await using PeerProcess python = PeerProcess.Start("endpoint_token.py", SecretFile, token);
        JsonElement claims = JsonDocument.Parse(await node.OutputAsync(cancel)).RootElement;
        JsonElement same = JsonDocument.Parse(await python.OutputAsync(cancel)).RootElement;
        using (Assert.EnterMultipleScope())
        {
            Assert.That(JsonDocument.Parse(asked).RootElement.GetProperty("backend").GetString(), Is.EqualTo(backend));
            Assert.That(claims.GetProperty("p").GetString(), Is.EqualTo("chat"));
            Assert.That(claims.GetProperty("b").GetString(), Is.EqualTo(backend));
            Assert.That(claims.GetProperty("k").GetString(), Is.EqualTo("room"));
            Assert.That(JsonElement.DeepEquals(claims, same), Is.True, same.ToString());
            Assert.That(await RunAsync("endpoint", "--pool", "chat", "--admin", socket), Does.StartWith("0 url         wss://ws").And.Contain("\ntoken       v1."));
            Assert.That(await RunAsync("endpoint", "--pool", "none", "--admin", socket), Does.StartWith("1 ").And.Contain("public_url"));
            Assert.That(await RunAsync("endpoint", "--admin", socket), Does.StartWith("2 ").And.Contain("--pool"));
        }

        await RunAsync("drain", "chat/ws1", "--admin", socket);
        await RunAsync("maint", "chat/ws3", "--admin", socket);
        using HttpResponseMessage none = await http.GetAsync("/v1/endpoint?pool=chat", cancel);
        Assert.That((int)none.StatusCode, Is.EqualTo(503));
        Assert.That(none.Headers.RetryAfter, Is.Not.Null);
        Assert.That(await RunAsync("endpoint", "--pool", "chat", "--admin", socket), Does.StartWith("1 ").And.Contain("takes connections"));
    }

    private static string Document => Repository.PathOf("docs", "websockets.md");

    /// <returns>The backends that it came to; nothing was relayed.</returns>
    private static async Task<string[]> CodeOfDocumentAsync(DaemonProcess daemon, string kind, CancellationToken cancel)
    {
        await daemon.ReadyAsync();
        (Uri admin, Uri endpoint) = (await AdminAsync(daemon), await EndpointAsync(daemon));
        await using PeerProcess client = PeerProcess.Start("documented-client.js", Document, endpoint.ToString().TrimEnd('/'), kind);
        string[] names = JsonSerializer.Deserialize<string[]>(await client.OutputAsync(cancel))!;
        using var http = new HttpClient { BaseAddress = admin };
        Assert.That(Relayed(await http.GetStringAsync("/metrics", cancel)), Is.Zero);
        return names;
    }

    private static double Relayed(string metrics) => new Exposition(metrics).Sum("connections_accepted_total");

    private static double Ramp(double seconds) => Math.Min(1, seconds / 10);

    // Of the one that drains there is none.
    private static double Share(int backend, double ramp)
    {
        double[] effective = [.. Weights.Select((w, i) => i == 3 ? 0 : i == 7 ? w * ramp : w)];
        return Sources * AsksPerSource * effective[backend] / effective.Sum();
    }

    private static string Eight(string socket, int backends) => $"""
        [balancer]
        shutdown_grace = "0s"
        [admin]
        socket = "{socket}"
        listen = "127.0.0.1:0"
        [endpoint]
        listen = "127.0.0.1:0"
        [[listeners]]
        name = "wss"
        bind = ["127.0.0.1:0"]
        pool = "chat"
        [[pools]]
        name = "chat"
        slow_start = "10s"
          [pools.health]
          type = "none"

        """ + string.Concat(Enumerable.Range(1, backends).Select(static i => $"""
          [[pools.backends]]
          name = "ws{i}"
          address = "127.0.0.1:{i}"
          weight = {Weights[i - 1]}
          public_url = "wss://ws{i}.example.com"

        """));

    private static string Three(int[] ports, string url, string endpoint, string pool, string listener) => $"""
        [balancer]
        shutdown_grace = "0s"
        [admin]
        socket = ""
        listen = "127.0.0.1:0"
        [endpoint]
        listen = "127.0.0.1:0"
        {endpoint}
        [[listeners]]
        name = "wss"
        bind = ["127.0.0.1:0"]
        pool = "chat"
        {listener}
        [[pools]]
        name = "chat"
        {pool}
          [pools.health]
          type = "none"

        """ + string.Concat(ports.Select((port, i) => $"""
          [[pools.backends]]
          name = "ws{i + 1}"
          address = "127.0.0.1:{port}"
          public_url = "{string.Format(CultureInfo.InvariantCulture, url, port)}"

        """));

    private static async Task<string[]> AskAllAsync(Uri endpoint, CancellationToken cancel)
    {
        string[][] answers = new string[Sources][];
        var options = new ParallelOptions { MaxDegreeOfParallelism = 32, CancellationToken = cancel };
        await Parallel.ForEachAsync(Enumerable.Range(0, Sources), options, async (i, stop) => answers[i] = await AskAsync(endpoint, i, stop));
        return [.. answers.SelectMany(static a => a)];
    }

    // Ten requests on one connection of one address, without waiting for the answers in between.
    private static async Task<string[]> AskAsync(Uri endpoint, int source, CancellationToken cancel)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(new IPAddress([127, 1, (byte)(source >> 8), (byte)source]), 0));
        await socket.ConnectAsync(endpoint.Host, endpoint.Port, cancel);
        const string Ask = "GET /v1/endpoint?pool=chat HTTP/1.1\r\nHost: a\r\n";
        string all = string.Concat(Enumerable.Repeat(Ask + "\r\n", AsksPerSource - 1)) + Ask + "Connection: close\r\n\r\n";
        await socket.SendAsync(Encoding.ASCII.GetBytes(all), cancel);
        using var reader = new StreamReader(new NetworkStream(socket));
        string text = await reader.ReadToEndAsync(cancel);
        const string Mark = "\"backend\":\"";
        return
        [
            .. text.Split("HTTP/1.1 ").Skip(1).Select(answer =>
            {
                // The first name is that of the backend; those of the alternates follow.
                int at = answer.IndexOf(Mark, StringComparison.Ordinal);
                return at < 0 ? "" : answer[(at + Mark.Length)..answer.IndexOf('"', at + Mark.Length)];
            }),
        ];
    }

    private static async Task<double> SecondsAsync(HttpClient admin, string backend, CancellationToken cancel) =>
        JsonDocument.Parse(await admin.GetStringAsync($"/v1/backends/chat/{backend}", cancel)).RootElement.GetProperty("state_seconds").GetDouble();

    private static async Task<Uri> AdminAsync(DaemonProcess daemon) => UrlIn(await daemon.LineWithAsync("admin API on http://"));

    private static async Task<Uri> EndpointAsync(DaemonProcess daemon) => UrlIn(await daemon.LineWithAsync("endpoint API on http://"));

    private static Uri UrlIn(string line) => new(line[line.IndexOf("http://", StringComparison.Ordinal)..].TrimEnd('/'));

    /// <returns>The exit code, a space, and what the command printed.</returns>
    private static async Task<string> RunAsync(params string[] args)
    {
        await using DaemonProcess command = DaemonProcess.Start([.. args, .. DaemonProcess.Patiently]);
        int code = await command.ExitAsync();
        return $"{code} {string.Join('\n', [.. command.Output, .. command.Errors])}";
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
