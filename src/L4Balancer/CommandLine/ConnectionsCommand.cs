using System.CommandLine;
using System.Globalization;
using L4Balancer.Admin.Answers;
using L4Balancer.Hosting;

namespace L4Balancer.CommandLine;

/// <summary><c>connections</c>: one line per connection, in the order of <c>--sort</c>.</summary>
internal static class ConnectionsCommand
{
    public static (Command, string) Create(AdminSession asking)
    {
        Option<bool> json = AdminSession.Json();
        var backend = new Option<string?>("--backend") { Description = "Only connections of one backend", HelpName = "POOL/NAME" };
        var source = new Option<string?>("--source") { Description = "Only connections of these clients", HelpName = "CIDR" };
        var sort = new Option<string?>("--sort")
        {
            Description = "The order: oldest, most bytes or longest idle first",
            HelpName = "age|bytes|idle",
        };
        var limit = new Option<int?>("--limit") { Description = "The maximum number of lines, up to 100000; default: 1000", HelpName = "N" };
        var command = new Command("connections", "Lists the connections of the running daemon.") { backend, source, sort, limit, json };
        command.SetAction((parsed, _) =>
        {
            (string Name, string? Value)[] filters =
            [
                ("backend", parsed.GetValue(backend)), ("source", parsed.GetValue(source)), ("sort", parsed.GetValue(sort)),
                ("limit", parsed.GetValue(limit)?.ToString(CultureInfo.InvariantCulture)),
            ];
            string query = string.Join('&', filters.Where(f => f.Value is not null).Select(f => $"{f.Name}={Uri.EscapeDataString(f.Value!)}"));
            string path = query.Length == 0 ? "/v1/connections" : $"/v1/connections?{query}";
            return asking.ShowAsync(parsed, json, path, AdminJson.Default.ConnectionsAnswer, answer => Write(asking.Screen, answer));
        });
        return (command, "l4balancer connections --backend chat/ws1 --source 203.0.113.0/24 --sort idle --limit 20");
    }

    private static int Write(Screen screen, ConnectionsAnswer answer)
    {
        ConnectionAnswer[] connections = [.. answer.Connections];
        // Columns of what was read are left out where nothing was.
        bool isRouted = connections.Any(static c => c.Route is not null);
        bool isNamed = connections.Any(static c => NameOf(c) is not null);
        string[] read = [.. isRouted ? ["route"] : (string[])[], .. isNamed ? ["name or key"] : (string[])[]];
        var table = new TextTable(
            [
                ">id", "state", "client", "listener", .. read, "backend", "source", ">age", ">idle", ">to backend", ">to client", ">generation",
            ])
        {
            Note = connections.Length < answer.Total ? $"{connections.Length} of {answer.Total}; --limit N shows more" : null,
        };
        foreach (ConnectionAnswer c in connections)
        {
            string[] found = [.. isRouted ? [RouteOf(c)] : (string[])[], .. isNamed ? [NameOf(c) ?? "-"] : (string[])[]];
            table.Add(
            [
                c.Id.ToString(CultureInfo.InvariantCulture), c.State, c.Client, c.Listener, .. found, c.Backend is null ? "-" : $"{c.Pool}/{c.Backend}",
                c.Source ?? "-", Quantity.Seconds(c.AgeSeconds), Quantity.Seconds(c.IdleSeconds), Quantity.Bytes(c.BytesToBackend),
                Quantity.Bytes(c.BytesToClient), Quantity.Count(c.Generation),
            ]);
        }

        screen.Write(table);
        return ExitCode.Fine;
    }

    private static string RouteOf(ConnectionAnswer connection) =>
        connection.Rule is null ? connection.Route ?? "-" : $"{connection.Route}: {connection.Rule}";

    private static string? NameOf(ConnectionAnswer connection) => connection.Key ?? connection.Sni ?? connection.Host;
}
