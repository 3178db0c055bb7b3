using System.Globalization;
using System.Net;
using System.Text;

namespace L4Balancer.Tests.Chaos;

/// <summary>Writes configurations: ones that are good and differ in everything that a reload may change, and ones that are not.</summary>
internal sealed class ConfigWriter(Site site, ChaosOptions options, IPEndPoint silent)
{
    public const int Backends = 5;

    /// <summary>How long established connections may be closed after SIGTERM.</summary>
    public static readonly TimeSpan ShutdownGrace = TimeSpan.FromSeconds(2);

    /// <summary>Longer than any plan pauses, so that what is cut for being quiet was held up.</summary>
    private static readonly string[] IdleTimeouts = ["9s", "15s", "1h", "0s"];

    public static string PoolOf(string listener) => listener switch
    {
        Site.Main or Site.Extra or "denied" or "limited" => "chat",
        _ => listener,
    };

    /// <summary>Nothing is limited, and every backend is there: what a run begins and ends with.</summary>
    public string Plain()
    {
        var text = new StringBuilder(Top(0));
        foreach (string listener in (string[])[Site.Main, Site.Extra, .. Site.Refusing])
        {
            AppendListener(text, listener, PoolOf(listener), "");
        }

        AppendPool(
            text, "chat",
            """
            health = { interval = "200ms", fast_interval = "100ms", down_interval = "200ms", rise = 1 }
            passive = { failures = 0 }

            """);
        for (int i = 0; i < Backends; i++)
        {
            AppendBackend(text, i, i, "");
        }

        AppendRefusing(text);
        return text.ToString();
    }

    public string Random(Random random)
    {
        string log = $"access_log_start = {Of(random, "true", "false")}\naccess_log_every = \"{Of(random, "0s", "1s", "3s")}\"\n"
            + $"watch = {Of(random, "true", "false")}\n";
        var text = new StringBuilder(Top(random.Next(8) == 0 ? random.Next(5, 40) : 0, log));
        bool twoPools = random.Next(3) == 0;
        AppendListener(
            text, Site.Main, "chat",
            (random.Next(4) == 0 ? "backlog = 64\nkeepalive = { idle = \"5s\", interval = \"1s\" }\n" : "") + Buffers(random),
            Of(random, "", "", Site.RangeAt(Site.Main, 1, 3), Site.RangeAt(Site.Main, 2, 6)));
        if (random.Next(4) > 0)
        {
            AppendListener(
                text, Site.Extra, twoPools ? "rooms" : "chat", random.Next(3) == 0 ? "on_pool_down = \"stop-listening\"\n" : "");
        }

        foreach (string listener in Site.Refusing)
        {
            AppendListener(text, listener, PoolOf(listener), "");
        }

        AppendRandomPool(text, "chat", random);
        if (twoPools)
        {
            AppendRandomPool(text, "rooms", random);
        }

        AppendRefusing(text);
        return text.ToString();
    }

    /// <summary>One that must be refused as a whole.</summary>
    public string Bad(Random random)
    {
        string good = Random(random);
        switch (random.Next(10))
        {
            case 0:
                return good + "unknown_key = 1\n";
            case 1:
                return good[..random.Next(good.Length / 4)];
            case 2:
                return good.Replace("pool = \"chat\"", "pool = \"nowhere\"", StringComparison.Ordinal);
            case 3:
                return good.Replace("name = \"ws", "name = \"ws0\" # ", StringComparison.Ordinal) + "[[pools]]\nname = \"chat\"\n";
            case 4:
                return good.Replace("connect_attempts = ", "connect_attempts = 99", StringComparison.Ordinal) + "connect_attempts = -1\n";
            case 5:
                return "";
            case 6:
                return good + "[[listeners]]\nname = \"late\"\nbind = [\"" + Site.ListenerAt(Site.Main) + "\"]\npool = \"chat\"\n";
            case 7:
                return good + "[[listeners]]\nname = \"foreign\"\nbind = [\"" + Site.Foreign + "\"]\npool = \"chat\"\n";
            case 8:
                return good + "[[listeners]]\nname = \"taken\"\nbind = [\"" + silent + "\"]\npool = \"chat\"\n";
            default:
                return good + "\u0000\u0001[[[ \"\n";
        }
    }

    private string Top(int most, string more = "") => $"""
        [balancer]
        engine = "{options.Engine}"
        workers = {options.Workers}
        max_connections = {most}
        access_log = "all"
        log_format = "json"
        shutdown_grace = "{ShutdownGrace.TotalSeconds:F0}s"
        {more}
        [admin]
        socket = "{site.SocketPath}"
        listen = "{Site.Admin}"
        token_file = "{site.TokenFile}"
        [metrics]
        listen = "{Site.Metrics}"

        """;

    private static void AppendListener(StringBuilder text, string name, string pool, string more, string range = "")
    {
        string limits = name switch
        {
            "denied" => "deny = [\"127.0.0.0/8\"]\n",
            "limited" => "max_connections = 2\n",
            _ => "",
        };
        string bind = $"\"{Site.ListenerAt(name)}\"" + (range.Length > 0 ? $", \"{range}\"" : "");
        Append(text, $"[[listeners]]\nname = \"{name}\"\nbind = [{bind}]\npool = \"{pool}\"\n{limits}{more}");
    }

    private static void AppendRandomPool(StringBuilder text, string name, Random random)
    {
        string balance = Of(random, "ring", "ring", "maglev", "least-connections", "random-two", "round-robin");
        string bounded = balance is "ring" or "maglev" && random.Next(3) == 0 ? "bounded_load = 1.25\n" : "";
        string sticky = Of(
            random, "", "", "sticky = { ttl = \"2s\" }\n",
            "sticky = { ttl = \"1h\", entries = 20 }\n", "sticky = { ttl = \"1h\", entries = 20000 }\n");
        string sources = random.Next(3) == 0 ? $"source_ips = [\"{Site.SourceAt(0)}\", \"{Site.SourceAt(1)}\"]\n" : "";
        string health = random.Next(4) == 0
            ? "health = { type = \"none\" }\npassive = { failures = 3, retry = \"300ms\" }\n"
            : $"health = {{ interval = \"{random.Next(100, 500)}ms\", fast_interval = \"100ms\", down_interval = \"200ms\", "
                + $"rise = 1, fall = {random.Next(1, 4)} }}\n"
                + $"passive = {{ {Of(random, "failures = 0", "failures = 3", "failures = 3, early_close = \"50ms\"")} }}\n";
        AppendPool(
            text, name,
            $"""
            balance = "{balance}"
            hash_key = {Of(random, "[\"source-ip\"]", "[\"source-ip\", \"source-port\"]")}
            connect_timeout = "{random.Next(300, 2000)}ms"
            connect_attempts = {random.Next(1, 5)}
            idle_timeout = "{Of(random, IdleTimeouts)}"
            half_close_timeout = "{Of(random, "9s", "5m", "")}"
            max_age = "{Of(random, "0s", "0s", "4s")}"
            panic_threshold = {Of(random, "0.0", "0.0", "0.5")}
            slow_start = "{Of(random, "0s", "2s")}"
            new_connection_rate = {Of(random, "0", "0", "20", "200")}
            abort_on_close = {Of(random, "true", "false")}
            on_backend_down = "{Of(random, "keep", "close")}"
            on_backend_removed = "{Of(random, "keep", "close")}"
            close_rate = {Of(random, "5", "50", "500", "0")}

            """ + bounded + sticky + Buffers(random) + sources + health);
        var places = new List<int>(Enumerable.Range(0, Backends).OrderBy(_ => random.Next()).Take(random.Next(2, Backends + 1)));
        bool moved = random.Next(6) == 0;
        foreach (int place in places)
        {
            // Where they have moved, a name stands for another address than before.
            AppendBackend(text, moved ? Backends - 1 - place : place, place, random.Next(5) switch
            {
                0 => $"weight = {random.Next(0, 1001)}\n",
                1 => $"max_connections = {random.Next(2, 30)}\n",
                2 when place != places[0] => "backup = true\n",
                _ => "",
            });
        }
    }

    private static string Buffers(Random random) => random.Next(3) > 0 ? "" : Of(
        random,
        "send_buffer = \"64KiB\"\n",
        "receive_buffer = \"64KiB\"\n",
        "send_buffer = \"256KiB\"\nreceive_buffer = \"16KiB\"\n");

    private void AppendRefusing(StringBuilder text)
    {
        const string Quick =
            "health = { type = \"none\" }\npassive = { failures = 0 }\nconnect_attempts = 2\nconnect_timeout = \"400ms\"\n";
        AppendPool(text, "dead", Quick);
        Append(text, $"[[pools.backends]]\nname = \"dead1\"\naddress = \"{Site.Dead}\"\n");
        AppendPool(text, "silent", Quick);
        Append(text, $"[[pools.backends]]\nname = \"silent1\"\naddress = \"{silent}\"\n");
    }

    private static void AppendPool(StringBuilder text, string name, string keys) => Append(text, $"[[pools]]\nname = \"{name}\"\n{keys}");

    private static void AppendBackend(StringBuilder text, int name, int place, string more) =>
        Append(text, $"[[pools.backends]]\nname = \"ws{name}\"\naddress = \"{Site.BackendAt(place)}\"\n{more}");

    private static string Of(Random random, params ReadOnlySpan<string> choices) => choices[random.Next(choices.Length)];

    private static void Append(StringBuilder text, FormattableString what) => text.Append(what.ToString(CultureInfo.InvariantCulture));
}
