using System.Reflection;
using System.Text.RegularExpressions;
using L4Balancer.CommandLine;
using L4Balancer.Configuration;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Tests.CommandLine;

/// <summary>
/// What people read when something is wrong: no message speaks of the platform that the program is written for. Every command line and every file here provokes
/// at least one.
/// </summary>
internal sealed partial class MessageTests
{
    private const string Good = """
        [[listeners]]
        name = "wss"
        bind = ["127.0.0.1:8443"]
        pool = "chat"
        [[pools]]
        name = "chat"
        backends = [{ name = "ws1", address = "10.0.1.21:8443" }]

        """;

    private static readonly string[] Lines =
    [
        "", "stauts", "drian", "x", "--x", "-x", "--admin", "status --jsn", "status x", "status --timeout x", "status --timeout 0s",
        "status --timeout -1", "status --admin x", "status --admin :1", "status --admin 1.2.3.4:99999", "status --admin https://a",
        "status --token-file /nonexistent", "status --token-file /", "status --json=maybe", "run --config", "run x",
        "run --config /nonexistent", "run --config /", "run --nonsense", "check --config /nonexistent", "check a b", "check a --config b",
        "check --strict=x", "check /dev/null", "demo --port x", "demo --port -1", "demo --port 99999", "demo --backends x",
        "demo --backends 0", "version x", "backends a b", "backends --state x", "backends --stat down", "connections --limit abc",
        "connections --limit 0", "connections --limit 99999999999", "connections x", "connections --sort", "events --level x",
        "events --limit x", "events --limit -1", "events --json --follow", "top x", "fleet x", "config x", "locate",
        "locate --listener a", "locate --listener a --source x", "locate --listener a --source 1.2.3.4",
        "locate --listener a --source 1.2.3.4:1 --destination x", "locate --listener a --source 1.2.3.4:1 --config /nonexistent",
        "endpoint", "endpoint --pool", "drain", "drain x", "drain a/b/c", "drain a/b --rate x", "drain a/b --rate -1",
        "drain a/b --within x", "drain a/b --within 1s --rate 1", "drain a/b --until x", "ready", "ready x", "ready a/b c", "maint x",
        "maint a/b --until x", "weight", "weight a/b", "weight a/b x", "weight a/b -1", "weight a/b 1001", "weight a/b 99999999999",
        "close", "close x", "close -1", "close 99999999999999999999999", "close 1 --rate 1", "close --rate x", "close --rate 1",
        "rebalance", "rebalance a/b", "rebalance a --rate x", "rebalance a --tolerance x", "rebalance a --tolerance 2",
        "rebalance a --stop --rate 1", "reload x", "upgrade --binary", "upgrade x", "status --admin /nonexistent/a.sock",
        "top --admin 127.0.0.1:1", "events --admin /nonexistent/a.sock", "config --admin /nonexistent/a.sock",
        "backends --admin nonexistent.sock", "status --admin a.invalid:1", "drain a/b --admin 127.0.0.1:1",
    ];

    private static readonly string[] Files =
    [
        "", "x", "=", "[", "a = ", "\uFFFD", "[[listeners]]\n", "[balancer]\nworkers = -1", "[balancer]\nworkers = 1.5",
        "[balancer]\nworkers = 99999999999999999999", "[balancer]\nworkers = \"2\"", "[balancer]\nworkers = 1979-05-27",
        "[balancer]\nworkers = {}", "[balancer]\nworkers = []", "[balancer]\nshutdown_grace = 5", "[balancer]\nshutdown_grace = \"5\"",
        "[balancer]\nshutdown_grace = \"5 s\"", "[balancer]\nshutdown_grace = \"1s1m\"", "[balancer]\nshutdown_grace = \"9999d\"",
        "[balancer]\nshutdown_grace = true", "[balancer]\nengine = \"iocp\"", "[balancer]\nlog_level = 3",
        "[balancer]\nstate_file = \"x\"", "[balancer]\nheld_memory = \"1MB\"", "[balancer]\nheld_memory = 5", "[balancer]\nworker = 1",
        "[ballancer]\n", "balancer = 3", "[admin]\nlisten = \"x\"", "[admin]\nlisten = 9180", "[admin]\nsocket = \"x\"",
        "[admin]\nhosts = \"a\"", "[admin]\nhosts = [\"a b\"]", "[admin]\ntoken_file = \"x\"", "[metrics]\nlisten = \"\"",
        "[metrics]\notlp = \"x\"", "[endpoint]\n", "[endpoint]\nlisten = \"1.2.3.4:1\"\ncert_file = \"/nonexistent\"",
        "[endpoint]\nlisten = \"1.2.3.4:1\"\nsecret_file = \"/\"", "[dns]\n", "[dns]\nlisten = \"x\"\nzone = \"-\"", "[fleet]\n",
        "[fleet]\nname = \"a b\"\netcd = [\"x\"]", "include = 1", "include = [1]", "include = [\"\"]",
        "include = [\"/nonexistent/*.toml\"]", "include = [\"/nonexistent.toml\"]", "include = [\"/*/x.toml\"]", "include = [\"/\"]",
        "include = [\"${UNSET_FOR_SURE}\"]",
    ];

    private static readonly string[] PoolLines =
    [
        "balance = \"rign\"", "balance = 1", "hash_key = \"source-ip\"", "hash_key = [\"source\"]", "hash_key = [\"http-header:\"]",
        "hash_key = []", "source_net = 3", "source_net = { v4 = 0 }", "bounded_load = 1", "bounded_load = \"x\"", "bounded_load = nan",
        "source_ips = [\"x\"]", "source_ips = [\"10.0.0.1:1\"]", "connect_timeout = 3", "connect_attempts = 0", "idle_timeout = \"soon\"",
        "keepalive = 5", "keepalive = { idle = 5 }", "keepalive = { x = 1 }", "congestion_control = \"a b\"", "send_buffer = \"1\"",
        "panic_threshold = 2", "new_connection_rate = -1", "tls = true", "timeout_connect = \"1s\"", "health = 1",
        "health = { type = \"ping\" }", "health = { status = \"x\" }", "health = { port = 70000 }", "health = { interval = \"0s\" }",
        "health = { headers = { a = 1 } }", "health = { ca_file = \"/nonexistent\" }", "health = { host = \"${UNSET_FOR_SURE}\" }",
        "health = { host = \"${\" }", "passive = { failures = -1 }", "sticky = { entries = 0 }", "sticky = { ttl = 1 }", "discovery = {}",
        "discovery = { dns = \"x\" }", "discovery = { etcd = [] }", "discovery = { http = \"ftp://x\" }",
        "discovery = { file = \"x\", http = \"y\" }", "discovery = { kubernetes = \"x\" }",
        "discovery = { interval = \"0s\", file = \"/a\" }", "name = \"chat\"",
    ];

    private static readonly string[] Addresses =
    [
        "10.0.1.21", "10.0.1.21:84430", "10.0.1.21:https", "2001:db8::1:8443", "2001:db8::1", "[2001:db8::1]", ":8443", "*:8443",
        "localhost:8443", "fe80::1%eth0", "[fe80::1]:1", "http://a:1", "a b:1", "unix:x", "0.0.0.0:0", "10.0.0.1:1-70000", "10.0.0.1:9-1",
        "\\t", "",
    ];

    [Test]
    public async Task No_command_line_is_answered_with_a_type_a_trace_or_a_time_span()
    {
        List<string> wrong = [];
        foreach (string line in Lines)
        {
            (int code, string output, string errors) = await InvokeAsync(line.Split(' ', StringSplitOptions.RemoveEmptyEntries));
            if (code is not (1 or 2 or 3) || errors.Length == 0 || !errors.Split('\n').All(IsPlain) || output.Length > 0)
            {
                wrong.Add($"{line}: {code} {output}{errors}");
            }
        }

        Assert.That(wrong, Is.Empty);
    }

    [Test]
    public void No_mistake_in_a_file_is_answered_with_a_type_a_trace_or_a_time_span()
    {
        IEnumerable<string> texts = Files.Select(t => t + "\n" + (t.StartsWith('[') || t.StartsWith("include", StringComparison.Ordinal) ? "" : Good))
            .Concat(Files.Select(t => t.StartsWith("include", StringComparison.Ordinal) ? $"{t}\n{Good}" : Good + t))
            .Concat(PoolLines.Select(l => Good + l))
            .Concat(Addresses.Where(static a => a != "0.0.0.0:0").Select(a => Good.Replace("127.0.0.1:8443", a, StringComparison.Ordinal)))
            .Concat(Addresses.Select(a => Good.Replace("10.0.1.21:8443", a, StringComparison.Ordinal)));
        foreach (string text in texts)
        {
            Check(System.Text.Encoding.UTF8.GetBytes(text), text, isRequired: text.Trim() != Good.Trim() && !text.Contains("127.0.0.1:8443\"]\npool = \"chat\"\n[[pools]]\nname = \"chat\"\nbackends = [{ name = \"ws1\", address = \"localhost:8443", StringComparison.Ordinal));
        }

    }

    [Test]
    public void A_file_of_another_encoding_is_one_mistake()
    {
        string path = DaemonProcess.ConfigFileWith("");
        File.WriteAllText(path, Good, System.Text.Encoding.Unicode);
        Assert.That(ConfigFile.Load(path).Errors, Is.EqualTo([$"{path}:1:1: error: the text is UTF-16: save it as UTF-8"]));
    }

    [Test]
    public void No_invalid_TOML_is_answered_with_a_type_or_a_trace()
    {
        string folder = Environment.GetEnvironmentVariable("L4BALANCER_TEST_DATA") is { Length: > 0 } set ? set : Repository.PathOf("..", "shared", "data");
        string[] files = Directory.Exists(folder) ? Directory.GetFiles(folder, "*.toml", SearchOption.AllDirectories) : [];
        if (files.Length == 0)
        {
            Assert.Ignore($"no TOML files in {folder}");
        }

        foreach (string file in files)
        {
            Check(File.ReadAllBytes(file), file, isRequired: true);
        }
    }

    [Test]
    public void No_line_of_the_log_takes_a_time_span()
    {
        // It would be written as 00:00:05.
        IEnumerable<MethodInfo> lines = new[] { typeof(Log), typeof(Engine.IEngine).Assembly.GetType("L4Balancer.Engine.Log", throwOnError: true)! }
            .SelectMany(static t => t.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic))
            .Where(static m => m.GetCustomAttribute<LoggerMessageAttribute>() is not null);
        Assert.That(lines.Count(), Is.GreaterThan(100));
        Assert.That(
            lines.Where(static m => m.GetParameters().Any(static p => (Nullable.GetUnderlyingType(p.ParameterType) ?? p.ParameterType) == typeof(TimeSpan)))
                .Select(static m => m.Name), Is.Empty);
    }

    [TestCase("stauts", "unknown command stauts; did you mean status?")]
    [TestCase("conections", "unknown command conections; did you mean connections?")]
    [TestCase("backend", "unknown command backend; did you mean backends?")]
    [TestCase("frobnicate", "unknown command frobnicate")]
    [TestCase("status --jsn", "unknown option --jsn; did you mean --json?")]
    [TestCase("drain a/b --rat=5", "unknown option --rat; did you mean --rate?")]
    [TestCase("check --stric", "unknown option --stric; did you mean --strict?")]
    [TestCase("run --admn x", "unknown option --admn; did you mean --admin?")]
    [TestCase("version more", "version does not take the argument more")]
    [TestCase("weight", "weight needs BACKEND and WEIGHT")]
    [TestCase("endpoint", "--pool is needed")]
    [TestCase("close abc", "abc: write the number that `l4balancer connections` lists as ID")]
    [TestCase("connections --limit abc", "--limit abc: must be a number from 1 to 100000")]
    [TestCase("status --json --timeout 5s --timeout 6s", "--timeout is given more than once")]
    public async Task A_mistake_is_named_with_what_was_probably_meant(string line, string message)
    {
        (int code, _, string errors) = await InvokeAsync(line.Split(' '));

        Assert.That(code, Is.EqualTo(2));
        Assert.That(errors, Does.StartWith($"l4balancer: {message}: see l4balancer "));
    }

    [Test]
    public async Task Help_is_a_command_too_and_shows_only_what_has_a_use()
    {
        (_, string drain, _) = await InvokeAsync(["help", "drain"]);
        (_, string all, _) = await InvokeAsync(["help"]);
        (_, string check, _) = await InvokeAsync(["check", "--help"]);
        (_, string version, _) = await InvokeAsync(["-V"]);

        Assert.That(drain, Does.Contain("--within").And.Contain("--admin"));
        Assert.That(all, Does.Contain("Commands:").And.Contain("rebalance"));
        Assert.That(check, Does.Contain("--strict").And.Not.Contain("--admin"));
        Assert.That(version, Does.Match(@"^l4balancer \d+\.\d+\.\d+\S*\n$"));
    }

    private static void Check(byte[] text, string name, bool isRequired)
    {
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(path, text);
            ConfigFile file = ConfigFile.Load(path);
            Assert.That(file.Errors.IsEmpty && isRequired, Is.False, $"no mistake is found in {name}");
            Assert.That(file.Errors, Has.All.Matches<string>(IsPlain), name);
        }
        finally
        {
            File.Delete(path);
        }
    }

    /// <summary>A line without names of types, stack traces and time spans.</summary>
    internal static bool IsPlain(string line) => !Platform().IsMatch(line) && line.Length < 1_000;

    private static async Task<(int Code, string Output, string Errors)> InvokeAsync(string[] args)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var errors = new StringWriter { NewLine = "\n" };
        int code = await CommandLineRoot.InvokeAsync(args, output, errors);
        return (code, output.ToString(), errors.ToString().TrimEnd('\n') + (errors.ToString().Length > 0 ? "\n" : ""));
    }

    // Names of types, an exception, a line of a stack trace, a TimeSpan, what the library says.
    [GeneratedRegex(@"System\.|Nullable|`\d\[|Exception|^\s+at |\b00:\d\d:\d\d\b|Unrecognized|expected type|HResult|Tomlyn|Object reference", RegexOptions.CultureInvariant)]
    private static partial Regex Platform();
}
