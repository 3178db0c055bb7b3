using System.Collections.Immutable;
using System.Text;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Inspection;

namespace L4Balancer.Core.Config;

/// <summary>
/// One table <c>[[listeners.routes]]</c>: which clients of a listener go to another pool. Every condition that is not empty must fit; of the
/// values of a condition one must.
/// </summary>
public sealed record RouteSettings
{
    /// <summary>Server names, as <see cref="NamePatterns.TryParse"/> returns them.</summary>
    public ImmutableArray<string> Sni { get; init; } = [];

    /// <summary>Protocols of which the client offers one (RFC 7301).</summary>
    public ImmutableArray<string> Alpn { get; init; } = [];

    /// <summary>Host names, as <see cref="Sni"/>.</summary>
    public ImmutableArray<string> Host { get; init; } = [];

    /// <summary>Paths, as <see cref="PathPattern.ToString"/> writes them.</summary>
    public ImmutableArray<string> Path { get; init; } = [];

    public ImmutableArray<Cidr> Source { get; init; } = [];

    public required string Pool { get; init; }

    /// <summary>The conditions on one line, for people: <c>sni *.chat.example.com, source 10.0.0.0/8</c>.</summary>
    public string Rule
    {
        get
        {
            (string Key, IEnumerable<string> Values)[] conditions =
                [("sni", Sni), ("alpn", Alpn), ("host", Host), ("path", Path), ("source", Source.Select(static s => s.ToString()))];
            return string.Join(
                ", ", conditions.Where(static c => c.Values.Any()).Select(static c => $"{c.Key} {string.Join(" or ", c.Values)}"));
        }
    }

    public bool HasSameValues(RouteSettings other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return Pool == other.Pool && Sni.SequenceEqual(other.Sni) && Alpn.SequenceEqual(other.Alpn) && Host.SequenceEqual(other.Host)
            && Path.SequenceEqual(other.Path) && Source.SequenceEqual(other.Source);
    }
}

/// <summary><c>[[listeners.routes]]</c>.</summary>
internal static class RouteBinding
{
    /// <summary>Routes are tried in turn for each connection.</summary>
    private const int MostRoutes = 1000;

    /// <summary>ProtocolName has a length of one byte (RFC 7301, 3.1).</summary>
    private const int LongestProtocol = 255;

    private const string NamesForm = "an array of host names, like [\"chat.example.com\", \"*.example.com\"]";
    private const string PathsForm = "an array of paths, like [\"/chat\", \"/rooms/*\"]";
    private const string ProtocolsForm = "an array of protocols, like [\"h2\"]";

    /// <param name="listener">The table of one listener.</param>
    /// <param name="inspect">What the listener looks at.</param>
    /// <param name="pools">The references to pools are added.</param>
    public static ImmutableArray<RouteSettings> Bind(TableBinder listener, InspectKind inspect, PoolReferences pools)
    {
        ImmutableArray<TableBinder> tables = listener.Tables("routes");
        if (tables.Length > MostRoutes)
        {
            listener.Errors.Add(
                tables[MostRoutes].Position, listener.KeyOf("routes"), $"more than {MostRoutes} routes; allowed: up to {MostRoutes} of a listener");
        }

        return [.. tables.Take(MostRoutes).Select(table => BindOne(table, inspect, pools))];
    }

    private static RouteSettings BindOne(TableBinder table, InspectKind inspect, PoolReferences pools)
    {
        RouteSettings route = new()
        {
            Sni = Items(table, "sni", NamesForm, BindName),
            Alpn = Items(table, "alpn", ProtocolsForm, BindProtocol),
            Host = Items(table, "host", NamesForm, BindName),
            Path = Items(table, "path", PathsForm, BindPath),
            Source = RangeBinding.Bind(table, "source"),
            Pool = BindPool(table, pools),
        };
        ReportUnread(table, "sni", route.Sni, InspectKind.Tls, inspect);
        ReportUnread(table, "alpn", route.Alpn, InspectKind.Tls, inspect);
        ReportUnread(table, "host", route.Host, InspectKind.Http, inspect);
        ReportUnread(table, "path", route.Path, InspectKind.Http, inspect);
        ReportUnconditional(table, route);
        return route;
    }

    private static string BindPool(TableBinder table, PoolReferences pools)
    {
        if (!table.TryRequire("pool", "the name of a pool", out Setting setting) || !setting.TryText("the name of a pool", out string pool))
        {
            return "";
        }

        pools.Add(pool, setting);
        return pool;
    }

    private static ImmutableArray<string> Items(TableBinder table, string key, string form, Func<Setting, string, string?> bind)
    {
        if (!table.TryGet(key, out Setting setting) || !setting.TryItems(form, out ImmutableArray<Setting> items))
        {
            return [];
        }

        ImmutableArray<string>.Builder values = ImmutableArray.CreateBuilder<string>(items.Length);
        foreach (Setting item in items)
        {
            if (item.TryText(form, out string text) && bind(item, text) is { } value)
            {
                values.Add(value);
            }
        }

        return values.ToImmutable();
    }

    private static string? BindName(Setting item, string text)
    {
        if (NamePatterns.TryParse(text, out string? pattern))
        {
            return pattern;
        }

        item.Reject($"{Quoted.Text(text)} is not a host name, like \"chat.example.com\", or one after \"*.\", like \"*.example.com\"; "
            + "names beyond ASCII are written in their form with \"xn--\"");
        return null;
    }

    private static string? BindPath(Setting item, string text)
    {
        if (PathPattern.Parse(text) is { } pattern)
        {
            return pattern.ToString();
        }

        item.Reject($"{Quoted.Text(text)} is not a path, like \"/chat\", or the beginning of one, like \"/rooms/*\"; "
            + "it begins with \"/\" and has neither a query nor spaces");
        return null;
    }

    private static string? BindProtocol(Setting item, string text)
    {
        if (text.Length > 0 && Encoding.UTF8.GetByteCount(text) <= LongestProtocol)
        {
            return text;
        }

        item.Reject($"{Quoted.Text(text)} is not a protocol of ALPN, like \"h2\"; allowed: 1 to {LongestProtocol} bytes");
        return null;
    }

    private static void ReportUnread(
        TableBinder table, string key, ImmutableArray<string> values, InspectKind needed, InspectKind inspect)
    {
        if (!values.IsEmpty && inspect != needed && table.TryGet(key, out Setting setting))
        {
            string word = needed == InspectKind.Tls ? "tls" : "http";
            setting.Errors.AddIfWhole(setting.Position, setting.Key, $"is not known to this listener; set inspect = \"{word}\"");
        }
    }

    // A list that was left empty by mistake would otherwise send every client there.
    private static void ReportUnconditional(TableBinder table, RouteSettings route)
    {
        string[] keys = ["sni", "alpn", "host", "path", "source"];
        bool hasFault = keys.Any(k => table.TryGet(k, out Setting given) && given.Node is not Toml.TomlArray { Items.IsEmpty: true });
        if (route.Rule.Length == 0 && !hasFault)
        {
            table.Errors.AddIfWhole(
                table.Position, table.Whole.Key,
                "has no condition and would fit every client; needed: sni, alpn, host, path or source that is not empty. "
                + "Clients that no route fits go to the listener's pool");
        }
    }
}
