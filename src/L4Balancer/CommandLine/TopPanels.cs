using System.Globalization;
using System.Text;
using L4Balancer.Admin.Answers;

namespace L4Balancer.CommandLine;

/// <summary>The views of <c>top</c>, in the order of their keys.</summary>
internal static class TopPanels
{
    public const char Connections = '3';
    public const char Events = '4';

    private const string OfBackend = "/v1/backends/{0}/";

    private static readonly TopAction[] ForPools =
    [
        Action('B', "rebalance", "rebalance {0}: close the surplus of its overfull backends at its close_rate", HttpMethod.Post, "/v1/pools/{0}/rebalance", "{0} is being rebalanced"),
        Action('S', "stop rebalance", "stop the rebalance of {0}", HttpMethod.Delete, "/v1/pools/{0}/rebalance", "the rebalance of {0} is stopped"),
    ];

    private static readonly TopAction[] ForBackends =
    [
        Action('D', "drain", "drain {0}: no new connections, established ones stay", HttpMethod.Post, OfBackend + "drain", "{0} is draining"),
        Action('M', "maint", "take {0} out of service: no new connections", HttpMethod.Post, OfBackend + "maint", "{0} is in maintenance"),
        Action('R', "ready", "put {0} back into service", HttpMethod.Post, OfBackend + "ready", "{0} is back in service"),
        Action('X', "close all", "close all connections of {0} at its pool's close_rate", HttpMethod.Delete, "/v1/connections?backend={0}", "the connections of {0} are being closed"),
    ];

    private static readonly TopAction[] ForConnections =
        [Action('X', "close", "close connection {0}", HttpMethod.Delete, "/v1/connections/{0}", "connection {0} is being closed")];

    public static IReadOnlyList<TopPanel> All { get; } =
    [
        new TopPanel<PoolAnswer>
        {
            Key = '1', Title = "pools", NameHeading = "POOL", Columns = TopColumns.Pools, Rows = static f => f.Sample.Pools, Name = static p => p.Name,
            Fits = static (p, text) => Has(text, p.Name, p.Balance), Target = static p => p.Name, Actions = ForPools, Detail = TopDetails.Of,
        },
        new TopPanel<TopRow>
        {
            Key = '2', Title = "backends", NameHeading = "BACKEND", Columns = TopColumns.Backends, Rows = static f => f.Sample.Rows, Name = static r => r.Name,
            Fits = static (r, text) => r.Has(text), Target = static r => r.Name, Actions = ForBackends, Detail = static r => TopDetails.Of(r.Backend),
        },
        new TopPanel<ConnectionAnswer>
        {
            Key = Connections, Title = "connections", NameHeading = "CLIENT", Columns = TopColumns.Connections, Rows = static f => f.Connections, Name = static c => c.Client,
            Fits = static (c, text) => Has(text, c.Client, c.Listener, $"{c.Pool}/{c.Backend}", c.Sni ?? "", c.Host ?? "", c.Key ?? ""),
            Target = static c => c.Id.ToString(CultureInfo.InvariantCulture), Actions = ForConnections, Detail = TopDetails.Of,
        },
        new TopPanel<EventAnswer>
        {
            Key = Events, Title = "events", NameHeading = "EVENT", Columns = TopColumns.Events, Rows = static f => f.Events, Name = static e => e.Text,
            Fits = static (e, text) => Has(text, e.Text, e.Level), Target = static _ => "", IsNameLast = true, Detail = static e => e.Text,
        },
    ];

    private static TopAction Action(char key, string verb, string question, HttpMethod method, string path, string done) =>
        new(key, verb, CompositeFormat.Parse(question), method, CompositeFormat.Parse(path), CompositeFormat.Parse(done));

    private static bool Has(string text, params ReadOnlySpan<string> parts)
    {
        foreach (string part in parts)
        {
            if (part.Contains(text, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }
}
