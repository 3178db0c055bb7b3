using System.Net.Sockets;
using System.Text.Json;
using L4Balancer.CommandLine;
using L4Balancer.Tests.Discovery.Stores;

namespace L4Balancer.Tests.Admin;

/// <summary>Every command that asks a running daemon, in this process against a real one.</summary>
[Category(DaemonProcess.Category)]
internal sealed class AskingCommandTests
{
    [Test]
    public async Task Status_is_a_table()
    {
        Result result = await InvokeAsync("status");
        Assert.That(result.Code, Is.Zero, result.Errors);
        Assert.That(result.Output, Does.Match("^DAEMON +READY\n").And.Match($@"\nwss +{AdminScene.Listener} +chat +\d+").And.Match(@"\nchat +ring +2 "));
    }

    [Test]
    public async Task Whether_the_process_lives_is_an_exit_code()
    {
        Result result = await InvokeAsync("status", "--healthz");
        Assert.That((result.Code, result.Output, result.Errors), Is.EqualTo((0, "", "")));

        var asked = new List<string>();
        await using StubServer server = await StubServer.StartAsync(
            http =>
            {
                asked.Add(http.Request.Path);
                http.Response.StatusCode = asked.Count == 1 ? 200 : 500;
                return Task.CompletedTask;
            },
            "");
        string address = server.Address.Authority;
        int[] codes = [(await InvokeAtAsync(address, "status", "--healthz")).Code, (await InvokeAtAsync(address, "status", "--healthz")).Code];
        await server.DisturbAsync(StoreTrouble.Down);
        Assert.That(codes.Append((await InvokeAtAsync(address, "status", "--healthz")).Code), Is.EqualTo([0, 3, 3]));
        Assert.That(asked, Is.EqualTo(["/healthz", "/healthz"]));
    }

    [Test]
    public async Task Backends_are_a_line_each()
    {
        Result result = await InvokeAsync("backends");
        Assert.That(result.Code, Is.Zero, result.Errors);
        string[] lines = result.Output.TrimEnd('\n').Split('\n');
        Assert.That(lines, Has.Length.EqualTo(3));
        Assert.That(lines[0], Does.StartWith("BACKEND   ADDRESS"));
        Assert.That(lines[1], Does.Match($@"^chat/ws1  {AdminScene.Backends[0].Endpoint} +up +\d[0-9.smhd]* +100 "));
    }

    [TestCase("chat", "up", 2)]
    [TestCase("chat", "down", 0)]
    public async Task Some_backends_only_are_listed(string pool, string state, int count)
    {
        Result text = await InvokeAsync("backends", pool, "--state", state);
        Result json = await InvokeAsync("backends", pool, "--state", state, "--json");
        Assert.That((text.Code, json.Code), Is.EqualTo((0, 0)), text.Errors + json.Errors);
        Assert.That(text.Output.TrimEnd('\n').Split('\n'), Has.Length.EqualTo(count + 1));
        Assert.That(JsonDocument.Parse(json.Output).RootElement.GetProperty("backends").GetArrayLength(), Is.EqualTo(count));
    }

    [TestCase("backends: no pool caht in the configuration: did you mean chat?", "backends", "caht")]
    [TestCase("connections: no backend chat/ws9: did you mean chat/ws1?", "connections", "--backend", "chat/ws9")]
    [TestCase("drain: no backend \"chat/sw1\" in the configuration: did you mean chat/ws1?", "drain", "chat/sw1")]
    [TestCase("rebalance: no pool \"caht\" in the configuration: did you mean chat?", "rebalance", "caht")]
    [TestCase("rebalance: no pool \"zzzzz\" in the configuration: `l4balancer status` lists all", "rebalance", "zzzzz")]
    public async Task A_name_that_is_not_known_is_answered_with_the_nearest(string error, params string[] args)
    {
        Result result = await InvokeAsync(args);
        Assert.That((result.Code, result.Output, result.Errors), Is.EqualTo((1, "", $"l4balancer: {error}\n")));
    }

    [Test]
    public async Task Events_are_the_lines_of_the_log()
    {
        Result all = await InvokeAsync("events");
        Result some = await InvokeAsync("events", "--level", "info", "--limit", "1");
        Result none = await InvokeAsync("events", "--level", "error");
        Assert.That((all.Code, some.Code, none.Code), Is.EqualTo((0, 0, 0)), all.Errors + some.Errors);
        Assert.That(all.Output, Does.Match(@"(?m)^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info    starting l4balancer "));
        Assert.That(some.Output.Count(c => c == '\n'), Is.EqualTo(1));
        Assert.That(none.Output, Does.Not.Contain(" info "));
    }

    [Test]
    public async Task Config_is_a_file_that_says_what_was_set_at_run_time()
    {
        try
        {
            await InvokeAsync("weight", "chat/ws2", "50");
            await InvokeAsync("maint", "chat/ws2");
            Result result = await InvokeAsync("config");
            Assert.That(result.Code, Is.Zero, result.Errors);
            Assert.That(result.Output, Does.Match(@"# set at run time: maintenance, \S+Z, by [^\n]+\n  \[\[pools\.backends\]\]\n  name = ""ws2""\n")
                .And.Match(@"\n  weight = 50  # set at run time, \S+Z, by [^\n]+; the file has 100\n").And.Match(@"\n  weight = 100\n"));
            Result check = await InvokeAsync("check", DaemonProcess.ConfigFileWith(result.Output));
            Assert.That(check.Code, Is.Zero, check.Errors);
            Assert.That((await InvokeAsync("config", "--json")).Output, Does.StartWith("{\"balancer\":"));
        }
        finally
        {
            await InvokeAsync("weight", "chat/ws2", "100");
            await InvokeAsync("ready", "chat/ws2");
        }
    }

    [Test]
    public async Task Connections_are_a_line_each()
    {
        using TcpClient client = await Talk.ConnectAsync(AdminScene.Listener);
        await Talk.EchoAsync(client, "hello");
        Result result = await InvokeAsync("connections", "--source", "127.0.0.1", "--sort", "bytes", "--limit", "1000");
        Assert.That(result.Code, Is.Zero, result.Errors);
        int port = ((System.Net.IPEndPoint)client.Client.LocalEndPoint!).Port;
        Assert.That(result.Output, Does.Match($@"\n *\d+  active +127\.0\.0\.1:{port} +wss +chat/ws[12] +127\.0\.0\.1:\d+ .*5 B"));
    }

    [Test]
    public async Task A_listing_that_is_cut_off_says_so()
    {
        using TcpClient one = await Talk.ConnectAsync(AdminScene.Listener);
        using TcpClient two = await Talk.ConnectAsync(AdminScene.Listener);
        await Talk.EchoAsync(one, "one");
        await Talk.EchoAsync(two, "two");
        Assert.That((await InvokeAsync("connections", "--limit", "1")).Output, Does.Match(@"\n1 of \d+; --limit N shows more\n$"));
    }

    [Test]
    public async Task Top_is_one_table_where_there_is_no_terminal()
    {
        Result result = await InvokeAsync("top");
        Assert.That(result.Code, Is.Zero, result.Errors);
        Assert.That(result.Output, Does.Match(@"^\S+: ready, up \S+, generation \d+.*\n\d+ active, \d+ pending\nBACKEND +STATE").And.Contain("chat/ws2"));
        Assert.That(result.Output, Does.Not.Contain("\u001b"));
    }

    [TestCase("status", "version")]
    [TestCase("backends", "backends")]
    [TestCase("connections", "total")]
    public async Task With_json_it_is_the_answer_of_the_API(string command, string property)
    {
        Result result = await InvokeAsync(command, "--json");
        Assert.That(result.Code, Is.Zero, result.Errors);
        Assert.That(JsonDocument.Parse(result.Output).RootElement.TryGetProperty(property, out _), Is.True);
    }

    [Test]
    public async Task A_backend_is_drained_taken_out_and_brought_back()
    {
        try
        {
            Assert.That((await InvokeAsync("drain", "chat/ws2")).Output, Does.StartWith("chat/ws2 is draining, weight 100, "));
            Assert.That((await InvokeAsync("maint", "chat/ws2")).Output, Does.StartWith("chat/ws2 is maintenance, "));
            Assert.That((await InvokeAsync("weight", "chat/ws2", "50")).Output, Does.StartWith("chat/ws2 is maintenance, weight 50, "));
        }
        finally
        {
            await InvokeAsync("weight", "chat/ws2", "100");
            Assert.That((await InvokeAsync("ready", "chat/ws2")).Output, Does.StartWith("chat/ws2 is up, weight 100, "));
        }
    }

    [Test]
    public async Task One_connection_is_closed()
    {
        using TcpClient client = await Talk.ConnectAsync(AdminScene.Listener);
        await Talk.EchoAsync(client, "hello");
        int port = ((System.Net.IPEndPoint)client.Client.LocalEndPoint!).Port;
        JsonElement listed = (await AdminScene.GetAsync("/v1/connections")).GetProperty("connections").EnumerateArray()
            .Single(c => c.GetProperty("client").GetString()!.EndsWith($":{port}", StringComparison.Ordinal));
        ulong id = listed.GetProperty("id").GetUInt64();
        Result result = await InvokeAsync("close", $"{id}");
        Assert.That((result.Code, result.Output), Is.EqualTo((0, $"connection {id} is being closed\n")));
        Assert.That(await client.GetStream().ReadAsync(new byte[1]).AsTask().WaitAsync(DaemonProcess.Deadline), Is.Zero);
    }

    [Test]
    public async Task A_reload_says_what_changed_and_a_bad_file_line_by_line_why_not()
    {
        try
        {
            await File.WriteAllTextAsync(AdminScene.ConfigPath, AdminScene.Config("connect_attempts = 2"));
            Result good = await InvokeAsync("reload");
            Assert.That(good.Code, Is.Zero, good.Errors);
            Assert.That(good.Output, Does.Match(@"^applied: generation \d+\npools\.chat\.connect_attempts: 3 -> 2\n$"));

            await File.WriteAllTextAsync(AdminScene.ConfigPath, AdminScene.Config("connect_attempts = 0\nidle = 3"));
            Result bad = await InvokeAsync("reload");
            Assert.That(bad.Code, Is.EqualTo(1));
            string[] lines = bad.Errors.TrimEnd('\n').Split('\n');
            Assert.That(lines, Has.Length.EqualTo(3));
            Assert.That(lines[0], Does.Match($@"^{AdminScene.ConfigPath}:\d+:\d+: error: "));
            Assert.That(lines[2], Does.StartWith("l4balancer: reload: ").And.Contain("remains active"));
        }
        finally
        {
            await File.WriteAllTextAsync(AdminScene.ConfigPath, AdminScene.Config());
            Assert.That((await InvokeAsync("reload", "--json")).Code, Is.Zero);
        }
    }

    [Test]
    public async Task Locate_asks_the_daemon_where_no_file_is_named()
    {
        Result text = await InvokeAsync("locate", "--listener", "wss", "--source", "203.0.113.7:51234");
        Assert.That(text.Code, Is.Zero, text.Errors);
        Assert.That(text.Output, Does.Match(@"^backend   chat/ws[12] \(127\.0\.0\.1:\d+\)\n").And.Contain("2 of 2 backends accept connections"));
        Result unknown = await InvokeAsync("locate", "--listener", "nope", "--source", "203.0.113.7:51234", "--json");
        Assert.That((unknown.Code, unknown.Errors.Count(c => c == '\n')), Is.EqualTo((2, 1)));
    }

    [Test]
    public async Task Locate_says_that_no_connection_decides_where_none_does()
    {
        string path = DaemonProcess.ConfigFileWith(AdminScene.Config("balance = \"round-robin\""));
        Result text = await InvokeAsync("locate", "--config", path, "--listener", "wss", "--source", "203.0.113.7:51234");
        Assert.That(text.Code, Is.Zero, text.Errors);
        Assert.That(text.Output, Does.StartWith("backend   any of pool chat: balance = \"round-robin\""));
    }

    [Test]
    public async Task By_TCP_a_change_takes_the_token()
    {
        string tcp = AdminScene.Tcp.ToString();
        Assert.That((await InvokeAtAsync(tcp, "status")).Code, Is.Zero);
        Assert.That((await InvokeAtAsync($"http://{tcp}", "backends")).Code, Is.Zero);
        Result without = await InvokeAtAsync(tcp, "ready", "chat/ws1");
        Assert.That(without.Code, Is.EqualTo(1));
        Assert.That(without.Errors, Does.Match("^l4balancer: ready: [^\n]*token_file[^\n]*\n$"));
        Result with = await InvokeAtAsync(tcp, "ready", "chat/ws1", "--token-file", AdminScene.TokenFile);
        Assert.That(with.Code, Is.Zero, with.Errors);
        Assert.That((await InvokeAtAsync(tcp, "ready", "chat/ws1", "--token-file", "/nonexistent")).Code, Is.EqualTo(2));
    }

    [TestCase("maint", "chat/nope")]
    [TestCase("close", "999999")]
    [TestCase("close", "--backend", "chat/nope")]
    [TestCase("rebalance", "nope")]
    [TestCase("rebalance", "nope", "--stop")]
    public async Task What_cannot_be_done_is_one_line(params string[] args)
    {
        Result result = await InvokeAsync(args);
        Assert.That((result.Code, result.Output), Is.EqualTo((1, "")));
        Assert.That(result.Errors, Does.Match($"^l4balancer: {args[0]}: [^\n]+\n$"));
    }

    [TestCase("maint", "ws1")]
    [TestCase("maint", "chat/../ws1")]
    [TestCase("maint", "chat/ws 1")]
    [TestCase("maint")]
    [TestCase("weight", "chat/ws1", "1001")]
    [TestCase("weight", "chat/ws1")]
    [TestCase("close", "first")]
    [TestCase("close")]
    [TestCase("close", "--rate", "5")]
    [TestCase("close", "7", "--backend", "chat/ws1")]
    [TestCase("close", "7", "--rate", "5")]
    [TestCase("close", "--backend", "ws1")]
    [TestCase("drain", "chat/ws1", "--rate", "fast")]
    [TestCase("drain", "chat/ws1", "--within", "60")]
    [TestCase("drain", "chat/ws1", "--within", "1m", "--rate", "5")]
    [TestCase("rebalance", "chat/ws1")]
    [TestCase("rebalance", "chat", "--tolerance", "2")]
    [TestCase("rebalance", "chat", "--stop", "--rate", "5")]
    [TestCase("status", "--timeout", "soon")]
    [TestCase("status", "--timeout", "0s")]
    [TestCase("status", "--timeout", "2h")]
    [TestCase("connections", "--sort", "colour")]
    [TestCase("connections", "--limit", "0")]
    [TestCase("connections", "--source", "10.0.0.0/40")]
    public async Task What_is_asked_wrongly_is_bad_usage(params string[] args)
    {
        Result result = await InvokeAsync(args);
        Assert.That((result.Code, result.Output), Is.EqualTo((2, "")));
        Assert.That(result.Errors, Does.Match("^l4balancer: [^\n]+\n$"));
    }

    [TestCase("/nonexistent/admin.sock")]
    [TestCase("127.0.0.1:1")]
    public async Task Where_no_daemon_is_one_line_says_so(string address)
    {
        foreach (string[] args in (string[][])[["status"], ["top"], ["drain", "chat/ws1"], ["reload"]])
        {
            Result result = await InvokeAtAsync(address, args);
            Assert.That((result.Code, result.Output), Is.EqualTo((3, "")), args[0]);
            Assert.That(result.Errors, Does.Match($"^l4balancer: {args[0]}: no daemon answers at {address}: [^\n]+\n$"));
        }
    }

    [Test]
    public async Task Something_else_that_answers_is_no_daemon()
    {
        Result result = await InvokeAtAsync(AdminScene.Listener.ToString(), "status");
        Assert.That(result.Code, Is.EqualTo(3));
        Assert.That(result.Errors, Does.Match("^l4balancer: status: [^\n]+\n$"));
    }

    [TestCase("admin")]
    [TestCase("127.0.0.1")]
    [TestCase("http://127.0.0.1:1/path")]
    [TestCase("https://127.0.0.1:1")]
    public async Task An_address_that_is_none_is_bad_usage(string address)
    {
        Result result = await InvokeAtAsync(address, "status");
        Assert.That(result.Code, Is.EqualTo(address.StartsWith("https", StringComparison.Ordinal) ? 3 : 2));
        Assert.That(result.Errors, Does.Match("^l4balancer: [^\n]+\n$"));
    }

    private static Task<Result> InvokeAsync(params string[] args) =>
        InvokeAtAsync(AdminScene.SocketPath, args.Contains("--timeout") ? args : [.. args, .. DaemonProcess.Patiently]);

    private static async Task<Result> InvokeAtAsync(string address, params string[] args)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var errors = new StringWriter { NewLine = "\n" };
        int code = await CommandLineRoot.InvokeAsync([.. args, "--admin", address], output, errors);
        return new Result(code, output.ToString(), errors.ToString());
    }

    private sealed record Result(int Code, string Output, string Errors);
}
