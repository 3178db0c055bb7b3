using System.Text;
using System.Text.RegularExpressions;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;

namespace L4Balancer.Fuzz.Targets;

/// <summary>Configurations: errors at positions inside the text, or settings from which the routing can be built.</summary>
internal sealed partial class ConfigTarget : FuzzTarget
{
    private const string Small = """
        [balancer]
        workers = 2
        [[listeners]]
        name = "wss"
        bind = ["0.0.0.0:443", "[::]:443"]
        pool = "chat"
        inspect = "tls"
        allow = ["10.0.0.0/8"]
        [[listeners.routes]]
        sni = ["*.a.test", "b.test"]
        pool = "chat"
        [[pools]]
        name = "chat"
        hash_key = ["sni"]
        balance = "ring"
        send_proxy = "v2"
        health = { type = "http", path = "/", status = ["200-299"], interval = "2s" }
        [[pools.backends]]
        name = "b1"
        address = "10.0.0.1:443"
        weight = 2
        """;

    private const string Http = """
        [[listeners]]
        name = "ws"
        bind = ["127.0.0.1:80", "unix:/run/a.sock"]
        pool = "rooms"
        inspect = "http"
        inspect_limit = "16KiB"
        accept_proxy_from = ["10.0.0.0/8"]
        [[listeners.routes]]
        host = ["a.test"]
        path = ["/rooms/"]
        source = ["192.0.2.0/24"]
        pool = "rooms"
        [[pools]]
        name = "rooms"
        hash_key = ["http-query:room", "source-ip"]
        sticky = { ttl = "1h" }
        max_age = "24h"
        [[pools.backends]]
        name = "b1"
        address = "a.test:80"
        """;

    public override string Name => "config";

    public override IReadOnlyList<byte[]> Fragments { get; } =
    [
        .. TomlTarget.Signs,
        .. Texts.Of(
            "\"0s\"", "\"1h\"", "\"16KiB\"", "\"10.0.0.0/8\"", "\"[::1]:1\"", "\"a.test:1\"", "\"unix:/a\"", "0", "-1", "[]", "false", "\"auto\"", "\"\"",
            "[[pools]]\n", "[[pools.backends]]\n", "[[listeners]]\n", "[[listeners.routes]]\n", "[pools.health]\n", "[pools.passive]\n", "[admin]\n", "[metrics]\n",
            "name = \"b1\"\n", "address = \"10.0.0.2:1\"\n", "balance = \"maglev\"\n", "bounded_load = 1.25\n", "type = \"mqtt\"\n", "\"sni\"", "\"http-path:2\""),
    ];

    public override IEnumerable<byte[]> Seeds() =>
        [Encoding.UTF8.GetBytes(Small), Encoding.UTF8.GetBytes(Http), .. Example()];

    public override bool Run(byte[] bytes)
    {
        ConfigResult result = ConfigReader.Read(bytes);
        Finding.Unless(result.Config is null != result.Errors.IsEmpty, "a configuration and errors, or neither");
        TomlTarget.CheckPositions(result.Errors.Select(e => (e.Position, e.Format("a"))), bytes);
        if (result.Config is not { } config)
        {
            return false;
        }

        // As `check` and `locate --config` do.
        RoutingSnapshot snapshot = RoutingSnapshot.Build(new(config, MaxConnections: 1) { Names = Resolutions.Assumed });
        Finding.Unless(snapshot.Listeners.Length == config.Listeners.Length && snapshot.Pools.Length == config.Pools.Length, "a listener or pool is lost");
        return true;
    }

    // The example shows every key with its default, most of them in comments; here they are set, in parts that are short enough.
    private static IEnumerable<byte[]> Example()
    {
        string text = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "balancer.toml.example"));
        string[] lines = [.. text.Split('\n').Select(static l => SettingInComment().Replace(l, "$1")).Where(static l => !l.StartsWith('#'))];
        string header = "";
        foreach (string[] part in lines.Chunk(12))
        {
            yield return Encoding.UTF8.GetBytes($"{Http}\n{header}\n{string.Join('\n', part)}\n");
            header = part.LastOrDefault(static l => l.TrimStart().StartsWith('['), header);
        }
    }

    [GeneratedRegex("^#([a-z_]+ *=)")]
    private static partial Regex SettingInComment();
}
