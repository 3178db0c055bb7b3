using System.Globalization;
using L4Balancer.Admin.Answers;

namespace L4Balancer.CommandLine;

/// <summary>The answers of the daemon at one moment, and the rates since the moment before.</summary>
internal sealed class TopSample
{
    private const int LongestHost = 24;

    private readonly StatusAnswer _status;
    private readonly BackendAnswer[] _backends;
    private readonly TopSample? _before;

    /// <param name="before">Null, or of another process: no rates are known.</param>
    public TopSample(StatusAnswer status, IReadOnlyList<BackendAnswer> backends, TopSample? before)
    {
        _status = status;
        _backends = [.. backends];

        // Two moments are enough; the one before that is not kept. Another process counts its uptime from its own start, and in a container has the same id.
        bool isOfThis = before is not null && before._status.Pid == status.Pid && before._status.UptimeSeconds <= status.UptimeSeconds;
        _before = isOfThis ? new TopSample(before!._status, before._backends, null) : null;
        Rows = RowsOf();
    }

    public IReadOnlyList<TopRow> Rows { get; }

    public IReadOnlyList<PoolAnswer> Pools => _status.Pools;

    /// <summary>Two lines: which daemon this is, with what is wrong with it, and its connections and rates.</summary>
    /// <returns>Trouble: the part of the first line that says what is wrong; empty if nothing is.</returns>
    public (string State, string Trouble, string Rates) Heading()
    {
        StatusAnswer s = _status;
        string host = s.Host.Length > LongestHost ? $"{s.Host[..(LongestHost - 1)]}…" : s.Host;
        string state = string.Create(CultureInfo.InvariantCulture,
            $"{host}: {(s.Ready ? "ready" : "draining")}, up {Quantity.Seconds(s.UptimeSeconds)}, generation {s.Generation}");
        (int down, int dead) = (s.Pools.Sum(static p => p.Down + p.Degraded), s.Pools.Count(static p => !p.TakesConnections));
        string trouble = string.Join(", ", new[] { Some(down, "down", "down"), Some(dead, "pool refuses clients", "pools refuse clients") }.OfType<string>());
        string rates = string.Create(CultureInfo.InvariantCulture, $"{s.Connections.Active} active, {s.Connections.Pending} pending")
            + (_before is null ? "" : string.Create(CultureInfo.InvariantCulture,
                $", {Rate(t => t.Accepted):0} new/s, {Rate(t => t.Refused.Values.Sum()):0} refused/s, "
                + $"{Quantity.Bytes(Rate(t => t.BytesToBackend))}/s in, {Quantity.Bytes(Rate(t => t.BytesToClient))}/s out"));
        string packets = Rows.Any(static r => r.Packets is not null)
            ? string.Create(CultureInfo.InvariantCulture, $", {Rows.Sum(static r => r.Packets ?? 0):0} packets/s") : "";
        return (state, trouble, rates + packets);
    }

    private static string? Some(int count, string one, string several) =>
        count == 0 ? null : string.Create(CultureInfo.InvariantCulture, $"{count} {(count == 1 ? one : several)}");

    private TopRow[] RowsOf()
    {
        Dictionary<(string, string, string), BackendAnswer> old = [];
        foreach (BackendAnswer b in _before?._backends ?? [])
        {
            old.TryAdd((b.Pool, b.Name, b.Address), b);
        }

        return [.. _backends.Select(b =>
        {
            BackendAnswer? then = old.GetValueOrDefault((b.Pool, b.Name, b.Address));
            return new TopRow(
                b, Per(x => x.ConnectAttempts), Per(x => x.Closed.Values.Sum()), Per(x => x.BytesToBackend + (x.Packets?.Bytes ?? 0)),
                Per(x => x.BytesToClient), b.Packets is null ? null : Per(x => x.Packets?.Packets ?? 0));

            double? Per(Func<BackendAnswer, long> of) => then is null ? null : (of(b) - of(then)) / Elapsed;
        })];
    }

    private double Elapsed => Math.Max(0.001, _status.UptimeSeconds - _before!._status.UptimeSeconds);

    private double Rate(Func<StatusAnswer, long> of) => (of(_status) - of(_before!._status)) / Elapsed;
}
