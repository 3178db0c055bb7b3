using System.Globalization;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using L4Balancer.CommandLine;
using L4Balancer.Tests.Pacing;

namespace L4Balancer.Tests.Admin;

/// <summary>
/// What was read of a client, and the route that decided, in the API, in <c>connections</c>, in <c>locate</c> and in the access log of one daemon.
/// </summary>
[CancelAfter(120_000)]
[Category(DaemonProcess.Category)]
internal sealed class InspectedConnectionTests
{
    private readonly SocketFolder _folder = new();
    private readonly HoldingBackend[] _backends = [new(), new(), new(), new()];
    private DaemonProcess _daemon = null!;

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        _daemon = DaemonProcess.Start("run", "--config", DaemonProcess.ConfigFileWith($$"""
            [balancer]
            shutdown_grace = "0s"
            access_log = "all"
            [admin]
            socket = "{{_folder.SocketPath}}"
            [[listeners]]
            name = "http"
            bind = ["127.0.0.1:0"]
            pool = "lobby"
            inspect = "http"
            routes = [{ source = ["192.0.2.0/24"], pool = "lobby" }, { host = ["*.rooms.test"], path = ["/rooms/*"], pool = "rooms" }]
            [[listeners]]
            name = "tls"
            bind = ["127.0.0.1:0"]
            pool = "lobby"
            inspect = "tls"
            routes = [{ sni = ["*.rooms.test"], pool = "names" }]
            [[listeners]]
            name = "plain"
            bind = ["127.0.0.1:0"]
            pool = "lobby"
            [[pools]]
            name = "lobby"
            backends = [{ name = "l1", address = "{{_backends[0].Endpoint}}" }]
            [[pools]]
            name = "rooms"
            hash_key = ["http-path:2"]
            backends = [{ name = "r1", address = "{{_backends[1].Endpoint}}" }, { name = "r2", address = "{{_backends[2].Endpoint}}" }]
            [[pools]]
            name = "names"
            hash_key = ["sni"]
            backends = [{ name = "n1", address = "{{_backends[3].Endpoint}}" }]

            """));
        await _daemon.ReadyAsync();
    }

    [OneTimeTearDown]
    public async Task StopAsync()
    {
        await _daemon.DisposeAsync();
        Array.ForEach(_backends, b => b.Dispose());
        _folder.Dispose();
    }

    [TestCase("http", "/rooms/%34%32/chat", "blue.rooms.test:80", "2", "host *.rooms.test, path /rooms/*", null, "blue.rooms.test", "/rooms/42")]
    [TestCase("http", "/else", "Other.test", "default", null, null, "Other.test", null)]
    [TestCase("tls", null, "Blue.Rooms.test", "1", "sni *.rooms.test", "blue.rooms.test", null, null)]
    [TestCase("tls", null, "other.test", "default", null, "other.test", null, null)]
    [TestCase("plain", "/rooms/42", "blue.rooms.test", null, null, null, null, null)]
    public async Task A_connection_shows_its_route_and_what_was_read_of_it(
        string listener, string? path, string host, string? route, string? rule, string? sni, string? name, string? key)
    {
        using TcpClient client = await Talk.ConnectAsync(await _daemon.ListenerAsync(listener));
        Task greeting = GreetAsync(client, listener, path, host);
        JsonElement connection = await EstablishedAsync(Talk.AddressOf(client));
        string backend = connection.GetProperty("backend").GetString()!;

        string?[] expected = [route, rule, sni, name, key];
        string[] fields = ["route", "rule", "sni", "host", "key"];
        Assert.That(fields.Select(f => connection.GetProperty(f).GetString()), Is.EqualTo(expected), "the API");

        string listed = await CommandAsync("connections", "--source", "127.0.0.1");
        string shownRoute = rule is null ? route ?? "" : $"{route}: {rule}";
        Assert.That(listed, Does.Contain(shownRoute).And.Contain(key ?? sni ?? name ?? ""), "connections");

        string located = await CommandAsync([
            "locate", "--listener", listener, "--source", Talk.AddressOf(client),
            .. listener == "tls" ? ["--sni", host] : listener == "http" ? ["--host", host, "--path", path!] : (string[])[]]);
        Assert.That(located, Does.StartWith($"backend   {connection.GetProperty("pool").GetString()}/{backend} ("), "locate");
        Assert.That(
            located, route is null ? Does.Not.Contain("\nroute ") : Does.Contain($"\nroute     {route}: {rule ?? "no route fits"}\n"), "locate");

        client.Close();
        await Task.WhenAny(greeting);
        string id = connection.GetProperty("id").GetUInt64().ToString(CultureInfo.InvariantCulture);
        string line = await _daemon.LineWithAsync($" id={id} ");
        Dictionary<string, string?> logged = new()
        {
            ["sni"] = sni,
            ["route"] = route,
            ["rule"] = rule,
            ["host"] = name,
            ["key"] = key,
            ["backend"] = backend,
        };
        foreach ((string field, string? value) in logged)
        {
            string? text = value is null ? null : value.Contains(' ', StringComparison.Ordinal) ? $"\"{value}\"" : value;
            Assert.That(line, text is null ? Does.Not.Match($" {field}=[^-]") : Does.Match($" {field}={Regex.Escape(text)}( |$)"), "the log");
        }
    }

    private static async Task GreetAsync(TcpClient client, string listener, string? path, string host)
    {
        if (listener != "tls")
        {
            // A POST, because the backend holds a connection that does not begin with GET.
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"POST {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
            return;
        }

        try
        {
            using var tls = new SslStream(client.GetStream(), leaveInnerStreamOpen: true);
            await tls.AuthenticateAsClientAsync(host);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or System.Security.Authentication.AuthenticationException)
        {
            // The backend never answers the hello.
        }
    }

    private async Task<JsonElement> EstablishedAsync(string client)
    {
        using var passed = new CancellationTokenSource(DaemonProcess.Deadline);
        using var steps = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (await steps.WaitForNextTickAsync(passed.Token))
        {
            foreach (JsonElement connection in (await _folder.GetAsync("/v1/connections")).GetProperty("connections").EnumerateArray())
            {
                if (connection.GetProperty("client").GetString() == client && connection.GetProperty("state").GetString() == "active")
                {
                    return connection;
                }
            }
        }

        throw new InvalidOperationException("the timer does not end");
    }

    private async Task<string> CommandAsync(params string[] args)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var errors = new StringWriter { NewLine = "\n" };
        int code = await CommandLineRoot.InvokeAsync([.. args, "--admin", _folder.SocketPath, .. DaemonProcess.Patiently], output, errors);
        Assert.That(code, Is.Zero, errors.ToString());
        return output.ToString();
    }
}
