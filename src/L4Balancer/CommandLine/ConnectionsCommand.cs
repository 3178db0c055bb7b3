using System.CommandLine;
using System.Globalization;
using L4Balancer.Admin.Answers;
using L4Balancer.Admin.Client;
using L4Balancer.Hosting;

namespace L4Balancer.CommandLine;

/// <summary><c>connections</c>: one line per connection, in the order of <c>--sort</c>.</summary>
internal static class ConnectionsCommand
{
    private const int MostLines = 100_000;

    private static readonly string[] Orders = ["age", "bytes", "idle"];

    public static (Command, string) Create(AdminSession asking)
    {
        Option<bool> json = AdminSession.Json();
        var backend = new Option<string?>("--backend") { Description = "Only connections of one backend", HelpName = "POOL/NAME" };
        backend.CompletionSources.Add(context => BackendNames.Of(asking, context));
        var source = new Option<string?>("--source") { Description = "Only connections of these clients", HelpName = "CIDR" };
        var sort = new Option<string?>("--sort")
        {
            Description = "The order: oldest, most bytes or longest idle first",
            HelpName = string.Join('|', Orders),
        };
        sort.CompletionSources.Add(Orders);
        Option<int?> limit = Options.Count("--limit", "The maximum number of lines, up to 100000; default: 1000", MostLines);
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
            return asking.RunAsync(parsed, async client =>
            {
                if (parsed.GetValue(backend) is string name && await UnknownAsync(client, name) is string unknown)
                {
                    return asking.Fail(ExitCode.Failed, $"connections: {unknown}");
                }

                return await asking.ShowAsync(
                    client, "connections", parsed.GetValue(json), path, AdminJson.Default.ConnectionsAnswer, answer => Write(asking.Screen, answer));
            });
        });
        return (command, "l4balancer connections --backend chat/ws1 --source 203.0.113.0/24 --sort idle --limit 20");
    }

    // A backend that nobody has ever had is a mistake; one that has left the file is listed as long as it has connections.
    private static async Task<string?> UnknownAsync(AdminClient client, string name)
    {
        AdminReply reply = await client.SendAsync(HttpMethod.Get, "/v1/backends");
        string[] known = [.. reply.TryRead(AdminJson.Default.BackendsAnswer)?.Backends.Select(static b => $"{b.Pool}/{b.Name}") ?? [name]];
        return known.Contains(name) || !name.Contains('/', StringComparison.Ordinal) ? null
            : $"no backend {name}: {Advice.For(name, known, "backends")}";
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
            LeavesOut = ["generation", "route", "listener", "source", "state", "idle", "to backend", "to client", "age", "name or key"],
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
