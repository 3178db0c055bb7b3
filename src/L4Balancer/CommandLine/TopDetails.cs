using System.Globalization;
using L4Balancer.Admin.Answers;

namespace L4Balancer.CommandLine;

/// <summary>All about a row of <c>top</c> in words, below the rows.</summary>
internal static class TopDetails
{
    public static string Of(PoolAnswer pool)
    {
        (int Count, string State)[] states =
        [
            (pool.Up, "up"), (pool.Down, "down"), (pool.Degraded, "degraded"), (pool.Draining, "draining"), (pool.Maintenance, "in maintenance"),
            (pool.Checking, "checking"),
        ];
        string counts = string.Join(", ", states.Where(static s => s.Count > 0).Select(static s => $"{Quantity.Count(s.Count)} {s.State}"));
        string source = pool.Discovery is { } from ? $"; backends from {from.Source}, read {Quantity.Seconds(from.AgeSeconds)} ago" : "";
        return $"{pool.Name}: {pool.Balance}; {(counts.Length > 0 ? counts : "no backends")}{source}{(pool.TakesConnections ? "" : "; no backend takes connections")}";
    }

    public static string Of(BackendAnswer backend)
    {
        string since = backend.StateSeconds is double seconds ? $" for {Quantity.Seconds(seconds)}" : "";
        string why = backend.State == "up" ? "" : BackendsCommand.Health(backend) is "-" or "success" ? "" : $" ({BackendsCommand.Health(backend)})";
        string set = backend.ModeSet is { } mode ? $", set by {mode.Who}" : "";
        string weight = string.Create(CultureInfo.InvariantCulture, $"weight {backend.Weight}{(backend.WeightSet is null ? "" : " set at run time")}");
        long failures = backend.ConnectFailures.Values.Sum();
        string failed = failures > 0 ? string.Create(CultureInfo.InvariantCulture, $"; connects failed: {failures}") : "";
        return $"{backend.Pool}/{backend.Name} at {BackendsCommand.Address(backend)}: {backend.State}{since}{why}{set}; {weight}{(backend.Backup ? ", backup" : "")}{failed}";
    }

    public static string Of(ConnectionAnswer connection)
    {
        string backend = connection.Backend is null ? $"pool {connection.Pool}, no backend yet" : $"{connection.Pool}/{connection.Backend}";
        string source = connection.Source is null ? "" : $" from {connection.Source}";
        string named = string.Concat(
            new[] { ("sni", connection.Sni), ("host", connection.Host), ("route", connection.Route), ("key", connection.Key) }
                .Where(static n => n.Item2 is not null).Select(static n => $", {n.Item1} {n.Item2}"));
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{connection.Id}: {connection.Client} to {connection.Destination} (listener {connection.Listener}), {connection.State} to {backend}{source}{named}");
    }
}
