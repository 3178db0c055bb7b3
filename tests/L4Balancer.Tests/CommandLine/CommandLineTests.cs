using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using L4Balancer.CommandLine;

namespace L4Balancer.Tests.CommandLine;

/// <summary>The commands that end by themselves, in this process.</summary>
[Category(DaemonProcess.Category)]
internal sealed class CommandLineTests
{
    private const string Config = """
        [[listeners]]
        name = "wss"
        bind = ["127.0.0.1:8443"]
        pool = "chat"

        [[listeners]]
        name = "wide"
        bind = ["0.0.0.0:443", "[::]:443"]
        pool = "chat"

        [[listeners]]
        name = "by-client"
        bind = ["0.0.0.0:444"]
        pool = "sticky"

        [[pools]]
        name = "chat"
          [[pools.backends]]
          name = "ws1"
          address = "10.0.1.21:8443"
          [[pools.backends]]
          name = "ws2"
          address = "10.0.1.22:8443"

        [[pools]]
        name = "sticky"
        hash_key = ["source-ip"]
          [[pools.backends]]
          name = "ws3"
          address = "10.0.1.23:8443"
        """;

    private const string SixMistakes = """
        [balancer]
        worker = 2
        shutdown_grace = "soon"

        [[listeners]]
        name = "wss"
        bind = ["127.0.0.1"]
        pool = "caht"

        [[pools]]
        name = "chat"
        send_proxy = "v3"
          [[pools.backends]]
          name = "ws1"
          address = "10.0.1.21:8443"
          weight = 1001
        """;

    [Test]
    public async Task Check_prints_every_mistake_with_its_place()
    {
        string path = DaemonProcess.ConfigFileWith(SixMistakes);
        Result result = await InvokeAsync("check", "--config", path);
        Assert.That(result.Code, Is.EqualTo(2));
        Assert.That(result.Output, Is.Empty);
        string[] lines = result.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.That(lines, Has.Length.EqualTo(6), result.Errors);
        Assert.That(lines, Has.All.Match($@"^{System.Text.RegularExpressions.Regex.Escape(path)}:\d+:\d+: error: [a-z_.\[\]0-9]+: .+"));
        Assert.That(lines.Select(l => int.Parse(l[(path.Length + 1)..].Split(':')[0], System.Globalization.CultureInfo.InvariantCulture)),
            Is.EqualTo(new[] { 2, 3, 7, 8, 12, 16 }));
    }

    [Test]
    public async Task Check_says_that_a_good_file_is_good()
    {
        Result result = await InvokeAsync("check", "--config", DaemonProcess.ConfigFileWith(Config));
        Assert.That(result.Code, Is.Zero, result.Errors);
        Assert.That(result.Output, Does.EndWith(": ok (listeners: 3, pools: 2, backends: 3)\n"));
    }

    [Test]
    public async Task Check_takes_the_file_in_three_ways_and_can_be_quiet()
    {
        string path = DaemonProcess.ConfigFileWith(Config);
        foreach (string[] way in (string[][])[["check", path], ["check", "-c", path], ["check", "--config", path]])
        {
            Result loud = await InvokeAsync(way);
            Result quiet = await InvokeAsync([.. way, "-q"]);
            Assert.That((loud.Code, quiet.Code, quiet.Output + quiet.Errors), Is.EqualTo((0, 0, "")));
            Assert.That(loud.Output, Does.StartWith($"{path}: ok"));
        }
    }

    [Test]
    public async Task Check_fails_for_warnings_only_where_it_is_strict()
    {
        string path = DaemonProcess.ConfigFileWith(Config + "\n[[pools]]\nname = \"spare\"\nbackends = [{ name = \"b\", address = \"10.0.0.1:1\" }]\n");
        Result loose = await InvokeAsync("check", path);
        Result strict = await InvokeAsync("check", path, "--strict");
        Assert.That((loose.Code, strict.Code, strict.Output), Is.EqualTo((0, 2, "")));
        Assert.That(loose.Errors, Does.Match($@"^{path}:\d+:1: warning: pools\[2\]: no listener uses pool ""spare""\n$").And.EqualTo(strict.Errors));
    }

    [Test]
    public async Task Check_looks_at_the_host_only_where_it_is_asked_to()
    {
        using var taken = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        taken.Start();
        string text = Config[..Config.IndexOf("[[listeners]]\nname = \"wide\"", StringComparison.Ordinal)] + Config[Config.IndexOf("[[pools]]", StringComparison.Ordinal)..];
        string path = DaemonProcess.ConfigFileWith(
            "[balancer]\nengine = \"epoll\"\n" + text.Replace("127.0.0.1:8443", $"{taken.LocalEndpoint}\", \"192.0.2.77:0", StringComparison.Ordinal)
                .Replace("\"10.0.1.21:8443\"", "\"nobody.invalid:1\"", StringComparison.Ordinal));
        Result plain = await InvokeAsync("check", path);
        Result onHost = await InvokeAsync("check", path, "--host");
        Assert.That((plain.Code, onHost.Code), Is.EqualTo((0, 2)), plain.Errors);
        Assert.That(onHost.Errors, Does.Contain($"error: cannot listen on {taken.LocalEndpoint} (listener wss): the port is in use; ")
            .And.Contain("error: cannot listen on 192.0.2.77:0 (listener wss): this host does not have the address; ")
            .And.Contain("warning: chat/ws1: the name nobody.invalid "));
        Assert.That(plain.Errors, Does.Not.Contain("port is in use"));
    }

    [Test]
    [Platform("Linux")]
    public async Task Check_of_the_host_sees_what_is_wrong_with_the_files_of_sockets()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("l4b-");
        try
        {
            using Socket living = Bind("living.sock");
            living.Listen();
            Bind("stale.sock").Dispose();
            await File.WriteAllTextAsync($"{folder}/file", "");
            string[] paths = [$"{folder}/living.sock", $"{folder}/stale.sock", $"{folder}/file", $"{folder}/none/a.sock", "/proc/a.sock", $"{folder}/new.sock"];
            string binds = string.Join(", ", paths.Select(static p => $"\"unix:{p}\""));
            string[] lines = await CheckAsync($"{folder}/admin.sock", binds);
            Assert.That(lines, Has.Length.EqualTo(4), string.Join('\n', lines));
            Assert.That(lines[0], Does.Contain($"error: cannot listen on unix:{paths[0]} (listener chat): another process listens there; "));
            Assert.That(lines[1], Does.Contain($"error: cannot listen on unix:{paths[2]} (listener chat): the existing file is not a socket; "));
            Assert.That(lines[2], Does.Contain($"error: cannot listen on unix:{paths[3]} (listener chat): its directory does not exist; "));
            Assert.That(lines[3], Does.Contain($"error: cannot listen on unix:{paths[4]} (listener chat): no permission to make the socket"));
            Assert.That(File.Exists(paths[1]), Is.True, "nothing is removed");

            const string Free = "\"127.0.0.1:0\"";
            Assert.That(await CheckAsync(paths[0], Free), Has.One.Contains($"warning: socket {paths[0]}: another daemon uses it: "));
            Assert.That(await CheckAsync(paths[2], Free), Has.One.Contains($"warning: socket {paths[2]}: the existing file is not a socket: "));
            Assert.That(await CheckAsync(paths[4], Free), Has.One.Contains($"warning: socket {paths[4]}: /proc is not writable; "));
            Assert.That(await CheckAsync(paths[3], Free), Is.Empty, "the daemon makes the folder");
            Assert.That(await CheckAsync(paths[1], Free), Is.Empty, "it replaces a stale one");
        }
        finally
        {
            folder.Delete(recursive: true);
        }

        Socket Bind(string name)
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            socket.Bind(new Abandoned($"{folder}/{name}"));
            return socket;
        }

        static async Task<string[]> CheckAsync(string socket, string binds)
        {
            string path = DaemonProcess.ConfigFileWith($$"""
                [balancer]
                engine = "epoll"
                [admin]
                socket = "{{socket}}"
                [[listeners]]
                name = "chat"
                bind = [{{binds}}]
                pool = "p"
                [[pools]]
                name = "p"
                backends = [{ name = "b1", address = "127.0.0.1:1" }]

                """);
            Result result = await InvokeAsync("check", "--host", path);
            Assert.That(result.Code, Is.EqualTo(result.Errors.Contains(" error: ", StringComparison.Ordinal) ? 2 : 0));
            return result.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        }
    }

    /// <summary>A path whose file stays when the socket is closed.</summary>
    private sealed class Abandoned(string path) : EndPoint
    {
        public override AddressFamily AddressFamily => AddressFamily.Unix;

        public override SocketAddress Serialize() => new UnixDomainSocketEndPoint(path).Serialize();
    }

    [Test]
    public async Task Check_warns_of_a_token_file_that_cannot_be_used()
    {
        string path = DaemonProcess.ConfigFileWith(Config + "\n[admin]\ntoken_file = \"/nonexistent/token\"\n");
        Result result = await InvokeAsync("check", "--config", path);
        Assert.That(result.Code, Is.Zero);
        Assert.That(result.Errors, Does.Match(@": warning: token_file /nonexistent/token: it cannot be read by user \S+ \([^\n]+chmod 640\n$"));
    }

    [Test]
    public async Task Check_refuses_a_secret_that_is_too_short()
    {
        string secret = DaemonProcess.ConfigFileWith("short");
        string path = DaemonProcess.ConfigFileWith(Config + $"\n[endpoint]\nlisten = \"127.0.0.1:9190\"\nsecret_file = \"{secret}\"\n");
        Result result = await InvokeAsync("check", "--config", path);
        Assert.That(result.Code, Is.EqualTo(2));
        Assert.That(result.Errors, Is.EqualTo(
            $"{path}: error: [endpoint] secret_file {secret}: it has 5 bytes, fewer than 32: make one with: openssl rand -hex 32\n"));
    }

    [Test]
    public async Task The_example_passes_check()
    {
        Result result = await InvokeAsync("check", "--config", Repository.PathOf("balancer.toml.example"));
        Assert.That(result.Code, Is.Zero, result.Errors);
    }

    [Test]
    public async Task A_missing_file_is_one_line_with_the_mend()
    {
        foreach (string command in new[] { "check", "run" })
        {
            Result result = await InvokeAsync(command, "--config", "/nonexistent/balancer.toml");
            Assert.That(result.Code, Is.EqualTo(2));
            Assert.That(result.Errors, Does.StartWith("/nonexistent/balancer.toml: no such file: ").And.Contain("--config").And.EndWith("\n"));
            Assert.That(result.Errors.Count(c => c == '\n'), Is.EqualTo(1));
        }
    }

    [Test]
    public async Task A_folder_in_the_place_of_a_file_is_one_line_with_the_mend()
    {
        Result result = await InvokeAsync("check", "--config", Path.GetTempPath());
        Assert.That(result.Code, Is.EqualTo(2));
        Assert.That(result.Errors, Does.Match("^[^\n]+: is a directory: [^\n]+\n$"));
    }

    [TestCase("nonsense")]
    [TestCase("run", "--nonsense")]
    [TestCase("run", "--config")]
    [TestCase("demo", "--port", "70000")]
    [TestCase("demo", "--backends", "one")]
    [TestCase("locate", "--config", "x", "--listener", "wss", "--source", "10.0.0.1")]
    [TestCase("decapsulate")]
    [TestCase("decapsulate", "--interface", "lo", "--address", "192.0.2")]
    [TestCase]
    public async Task A_mistake_in_the_command_line_is_one_line_that_names_the_help(params string[] args)
    {
        Result result = await InvokeAsync(args);
        Assert.That(result.Code, Is.EqualTo(2));
        Assert.That(result.Output, Is.Empty);
        Assert.That(result.Errors, Does.Match(@"^l4balancer: [^\n]+: see l4balancer [a-z -]*--help\n$"));
    }

    [TestCase("")]
    [TestCase("run")]
    [TestCase("check")]
    [TestCase("demo")]
    [TestCase("locate")]
    [TestCase("version")]
    [TestCase("status")]
    [TestCase("backends")]
    [TestCase("connections")]
    [TestCase("top")]
    [TestCase("drain")]
    [TestCase("ready")]
    [TestCase("maint")]
    [TestCase("weight")]
    [TestCase("close")]
    [TestCase("reload")]
    [TestCase("rebalance")]
    [TestCase("upgrade")]
    [TestCase("decapsulate")]
    public async Task Every_command_has_help_with_an_example(string command)
    {
        Result result = await InvokeAsync([.. command.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--help"]);
        Assert.That(result.Code, Is.Zero);
        Assert.That(result.Output, Does.Contain($"Example:\n  l4balancer {command}"));
    }

    [Test]
    public async Task Decapsulate_names_the_interface_that_is_not_there()
    {
        Result result = await InvokeAsync("decapsulate", "--interface", "nowhere0");
        Assert.That(result.Code, Is.EqualTo(1));
        Assert.That(result.Errors, Is.EqualTo("l4balancer: decapsulate: interface nowhere0: there is none of this name (`ip link` lists them)\n"));
    }

    [Test]
    public async Task Version_says_what_runs_here()
    {
        Result result = await InvokeAsync("version");
        Assert.That(result.Code, Is.Zero);
        Assert.That(result.Output, Does.Match(@"^l4balancer \d+\.\d+\.\d+\S*\ncommit     \w+\nruntime    \.NET 10\.[^\n]+\nengine     epoll\n$"));
    }

    [Test]
    public async Task Locate_says_where_a_connection_goes_and_why()
    {
        string path = DaemonProcess.ConfigFileWith(Config);
        Result text = await InvokeAsync("locate", "--config", path, "--listener", "wss", "--source", "203.0.113.7:51234");
        Result json = await InvokeAsync("locate", "--config", path, "--listener", "wss", "--source", "203.0.113.7:51234", "--json");
        Assert.That((text.Code, json.Code), Is.EqualTo((0, 0)), text.Errors + json.Errors);
        JsonElement answer = JsonDocument.Parse(json.Output).RootElement;
        Assert.That(answer.GetProperty("backend").GetString(), Is.EqualTo("ws1").Or.EqualTo("ws2"));
        Assert.That(answer.GetProperty("destination").GetString(), Is.EqualTo("127.0.0.1:8443"));
        Assert.That(text.Output, Does.StartWith($"backend   chat/{answer.GetProperty("backend").GetString()} (10.0.1."));
        Assert.That(text.Output, Does.Contain($"hash      {answer.GetProperty("hash").GetString()}\n").And.Contain("not known offline"));
    }

    [Test]
    public async Task Locate_spreads_the_clients()
    {
        string path = DaemonProcess.ConfigFileWith(Config);
        var seen = new HashSet<string>();
        for (int port = 2000; port < 2032; port++)
        {
            seen.Add((await InvokeAsync("locate", "--config", path, "--listener", "wss", "--source", $"203.0.113.7:{port}")).Output.Split('\n')[0]);
        }

        Assert.That(seen, Has.Count.EqualTo(2));
    }

    private const string Routed = """
        [[listeners]]
        name = "http"
        bind = ["127.0.0.1:8080"]
        pool = "chat"
        inspect = "http"
        routes = [{ host = ["rooms.test"], path = ["/rooms/*"], pool = "rooms" }]

        [[listeners]]
        name = "tls"
        bind = ["127.0.0.1:8443"]
        pool = "chat"
        inspect = "tls"
        routes = [{ sni = ["*.rooms.test"], pool = "rooms" }, { alpn = ["h2"], pool = "rooms" }]

        [[pools]]
        name = "chat"
        backends = [{ name = "ws1", address = "10.0.1.21:8443" }, { name = "ws2", address = "10.0.1.22:8443" }]

        [[pools]]
        name = "rooms"
        hash_key = ["http-path:2"]
        backends = [{ name = "r1", address = "10.0.2.21:80" }, { name = "r2", address = "10.0.2.22:80" }, { name = "r3", address = "10.0.2.23:80" }]
        """;

    [TestCase("http", "--host rooms.test --path /rooms/%61", "rooms", "1: host rooms.test, path /rooms/*", "key       http-path:2 = /rooms/a\n")]
    [TestCase("http", "--host Rooms.test:80 --path /rooms/a/x --query a=b", "rooms", "1: ", "key       http-path:2 = /rooms/a\n")]
    [TestCase("http", "--host other.test --path /rooms/a", "chat", "default: no route fits", "key       source-ip ")]
    [TestCase("http", "", "chat", "default: no route fits", "key       source-ip ")]
    [TestCase("tls", "--sni A.rooms.test.", "rooms", "1: sni *.rooms.test", "(http-path:2: not all of it is given)\n")]
    [TestCase("tls", "--alpn http/1.1,h2", "rooms", "2: alpn h2", "(http-path:2: not all of it is given)\n")]
    [TestCase("tls", "--sni a.rooms.test --key /rooms/a", "rooms", "1: sni ", "key       http-path:2 = /rooms/a\n")]
    public async Task Locate_says_which_route_and_key_decide(string listener, string options, string pool, string route, string key)
    {
        Result result = await LocateAsync(listener, options);

        Assert.That(result.Code, Is.Zero, result.Errors);
        Assert.That(
            result.Output, Does.StartWith($"backend   {pool}/").And.Contain($"\nroute     {route}").And.Contain(key));
    }

    [Test]
    public async Task Locate_finds_one_backend_for_one_key_however_it_is_given()
    {
        string[] options =
        [
            "--host rooms.test --path /rooms/a", "--host rooms.test --path /rooms/%61/chat?x=1", "--host rooms.test --path /rooms/ --key /rooms/a",
        ];
        Result[] results = [.. await Task.WhenAll(options.Select(o => LocateAsync("http", o)))];

        Assert.That(results.Select(r => r.Output.Split('\n')[0]).Distinct().Count(), Is.EqualTo(1), string.Concat(results.Select(r => r.Output)));
    }

    [TestCase("http", "--sni a.test", "sni and alpn: listener http does not read them; it needs inspect = \"tls\"")]
    [TestCase("tls", "--path /", "listener tls does not read them; it needs inspect = \"http\"")]
    [TestCase("http", "--query room", "query is NAME=VALUE")]
    [TestCase("http", "--header X", "header is NAME:VALUE")]
    [TestCase("http", "--path a", "make no HTTP request: ")]
    [TestCase("tls", "--alpn ,", "make no ClientHello: ")]
    public async Task Locate_refuses_what_the_listener_cannot_read(string listener, string options, string mistake)
    {
        Result result = await LocateAsync(listener, options);

        Assert.That(result.Code, Is.EqualTo(2));
        Assert.That(result.Errors, Does.Contain(mistake));
    }

    private static Task<Result> LocateAsync(string listener, string options) => InvokeAsync(
        ["locate", "--config", DaemonProcess.ConfigFileWith(Routed), "--listener", listener, "--source", "203.0.113.7:51234",
            .. options.Split(' ', StringSplitOptions.RemoveEmptyEntries)]);

    [TestCase("wide", "203.0.113.7:51234", null, "destination IP:PORT is required")]
    [TestCase("wide", "203.0.113.7:51234", "198.51.100.1:443", null)]
    [TestCase("wide", "203.0.113.7:51234", "198.51.100.1:444", "does not listen there")]
    [TestCase("wide", "[2001:db8::7]:51234", "[2001:db8::1]:443", null)]
    [TestCase("wide", "[2001:db8::7]:51234", "198.51.100.1:443", "does not listen there")]
    [TestCase("by-client", "203.0.113.7:51234", null, null)]
    [TestCase("by-client", "[2001:db8::7]:51234", null, "no address of that family")]
    [TestCase("none", "203.0.113.7:51234", null, "no such listener")]
    public async Task Locate_asks_for_a_destination_only_where_it_matters(string listener, string source, string? destination, string? mistake)
    {
        string[] to = destination is null ? [] : ["--destination", destination];
        Result result = await InvokeAsync(
            ["locate", "--config", DaemonProcess.ConfigFileWith(Config), "--listener", listener, "--source", source, .. to]);
        Assert.That(result.Code, Is.EqualTo(mistake is null ? 0 : 2), result.Errors);
        Assert.That(result.Errors, mistake is null ? Is.Empty : Does.Contain(mistake));
    }

    private static async Task<Result> InvokeAsync(params string[] args)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var errors = new StringWriter { NewLine = "\n" };
        int code = await CommandLineRoot.InvokeAsync(args, output, errors);
        return new Result(code, output.ToString(), errors.ToString());
    }

    private sealed record Result(int Code, string Output, string Errors);
}
