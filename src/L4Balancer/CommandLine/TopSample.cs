using System.Globalization;
using L4Balancer.Admin.Answers;

namespace L4Balancer.CommandLine;

/// <summary>The answers of the daemon at one moment, and the rates since the moment before.</summary>
internal sealed class TopSample
{
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

    /// <summary>Two lines: the state of the daemon, and its rates.</summary>
    public (string State, string Rates) Heading()
    {
        StatusAnswer s = _status;
        string state = string.Create(CultureInfo.InvariantCulture,
            $"{(s.Ready ? "ready" : "draining")}, up {Quantity.Seconds(s.UptimeSeconds)}, generation {s.Generation}, "
            + $"{s.Connections.Active} active, {s.Connections.Pending} pending, {s.Accepted} accepted, {s.Refused.Values.Sum()} refused");
        string rates = _before is null ? "" : string.Create(CultureInfo.InvariantCulture,
            $"per second: {Rate(t => t.Accepted):0} accepted, {Rate(t => t.Closed.Values.Sum()):0} closed, "
            + $"{Quantity.Bytes(Rate(t => t.BytesToBackend))} to backends, {Quantity.Bytes(Rate(t => t.BytesToClient))} to clients");
        return (state, rates);
    }

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
