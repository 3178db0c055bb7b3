using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;

namespace L4Balancer.Tests.Chaos;

/// <summary>
/// The three books of a run: what each client saw, what the backends saw, and what the access log says. A connection that has ended in all
/// three is judged after a while and forgotten, so that a run may be as long as one likes. Any thread.
/// </summary>
internal sealed class Ledger(int seed, Violations violations)
{
    /// <summary>Longest time of one connection; whatever the chaos does to it takes less.</summary>
    public static readonly TimeSpan MostOfOne = TimeSpan.FromSeconds(45);

    /// <summary>For a book that comes later than the others: a frozen backend accepts only once it goes on.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<ulong, Page> _open = new();
    private readonly Lock _gate = new();
    private ulong _numbers;
    private ulong _firstOfLast = ulong.MaxValue;

    public int Seed => seed;

    public Violations Violations => violations;

    /// <summary>What the access log says, added up.</summary>
    public AccessTotals Totals { get; } = new();

    public JudgedTotals Judged { get; } = new();

    /// <summary>
    /// Most bytes of a write that a reset interrupts which may have arrived without being counted: the framework does not say how much of it the
    /// kernel took (docs/engines.md).
    /// </summary>
    public long MayBeUncounted { get; init; }

    /// <summary>From now on the connections are those that are there when the daemon is stopped, which may end them.</summary>
    public bool IsLast
    {
        get => Volatile.Read(ref _firstOfLast) != ulong.MaxValue;
        set => Volatile.Write(ref _firstOfLast, value ? _numbers + 1 : ulong.MaxValue);
    }

    /// <summary>Connections whose client has not ended, with what is known of them.</summary>
    public IEnumerable<string> Unfinished => _open.Values.Where(p => !p.ClientHasEnded).Select(p => p.ToString());

    public ConnectionPlan Begin()
    {
        ulong number = Interlocked.Increment(ref _numbers);
        ConnectionPlan plan = PlanOf(number);
        _open[Site.PlaceOf(number)] = new Page(plan);
        return plan;
    }

    public ConnectionPlan PlanOf(ulong number) => ConnectionPlan.For(seed, number, number >= Volatile.Read(ref _firstOfLast));

    /// <param name="client">Null if the connect failed.</param>
    public void ClientBegins(ConnectionPlan plan, StreamEnd? client) => Write(Site.PlaceOf(plan.Number), page => page.Client = client);

    public void ClientEnds(ConnectionPlan plan) => Write(Site.PlaceOf(plan.Number), page =>
    {
        page.ClientHasEnded = true;
        if (page.Client?.Wrong is string wrong)
        {
            violations.Add($"client: {wrong}: {page}");
        }

        if (page.Client?.IsStuck == true)
        {
            violations.Add($"client: still there after {MostOfOne.TotalSeconds} s: {page}");
        }
    });

    public void BackendBegins(ulong number, StreamEnd backend) => Write(Site.PlaceOf(number), page => page.Backends.Add(backend));

    public void BackendEnds(ulong number, StreamEnd backend, IPEndPoint endpoint)
    {
        if (backend.Wrong is string wrong)
        {
            violations.Add($"backend {endpoint}: {wrong}: connection {number}: {backend}");
        }

        Write(Site.PlaceOf(number), page => page.BackendsEnded++);
    }

    public void Logged(AccessEntry line)
    {
        Totals.Add(line);
        if (line.Reason is "internal" or "none")
        {
            violations.Add($"reason {line.Reason}: {line}");
        }

        if (Site.PlaceOf(line.Client.Address) is not ulong place || !Write(place, page => page.Lines.Add(line)))
        {
            violations.Add($"a line of the access log belongs to no client, or comes a second time: {line}");
        }
    }

    /// <summary>Judges what has been complete for a while.</summary>
    /// <param name="everything">Also what is not complete, which is a violation if the line of the access log is missing.</param>
    public void Settle(bool everything)
    {
        foreach ((ulong place, Page page) in _open)
        {
            lock (_gate)
            {
                bool isRipe = page.IsComplete && Stopwatch.GetElapsedTime(page.WrittenAt) > Patience;
                if (!isRipe && !everything)
                {
                    continue;
                }

                _open.TryRemove(place, out _);
            }

            foreach (string fault in Judgement.Of(page, Judged, MayBeUncounted, page.Plan.Number >= _firstOfLast))
            {
                violations.Add($"{fault}: {page}");
            }
        }
    }

    private bool Write(ulong place, Action<Page> what)
    {
        lock (_gate)
        {
            if (!_open.TryGetValue(place, out Page? page))
            {
                return false;
            }

            page.WrittenAt = Stopwatch.GetTimestamp();
            what(page);
            return true;
        }
    }
}

/// <summary>What the three books say of one connection.</summary>
internal sealed class Page(ConnectionPlan plan)
{
    public ConnectionPlan Plan => plan;

    /// <summary>Null if it never connected.</summary>
    public StreamEnd? Client { get; set; }

    public bool ClientHasEnded { get; set; }

    public List<StreamEnd> Backends { get; } = [];

    public int BackendsEnded { get; set; }

    public List<AccessEntry> Lines { get; } = [];

    public long WrittenAt { get; set; } = Stopwatch.GetTimestamp();

    public bool IsComplete => ClientHasEnded && BackendsEnded == Backends.Count && (Lines.Count > 0 || Client is null);

    public override string ToString() =>
        $"connection {plan.Number} ({plan.Kind}); client {Site.ClientOf(plan.Number)}: {Client?.ToString() ?? "not connected"}; backend: "
        + (Backends.Count == 0 ? "not seen" : string.Join(" and ", Backends)) + "; "
        + (Lines.Count == 0 ? "no line in the access log" : string.Join(" and ", Lines));
}

/// <summary>Sums of the access log. Any thread.</summary>
internal sealed class AccessTotals
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<string, long> _refused = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, long> _closed = new(StringComparer.Ordinal);

    public long Lines { get; private set; }

    public long ToBackend { get; private set; }

    public long ToClient { get; private set; }

    public long Attempts { get; private set; }

    public IReadOnlyDictionary<string, long> Refused => Copy(_refused);

    public IReadOnlyDictionary<string, long> Closed => Copy(_closed);

    public void Add(AccessEntry line)
    {
        lock (_gate)
        {
            Lines++;
            ToBackend += line.ToBackend;
            ToClient += line.ToClient;
            Attempts += line.Attempts;
            SortedDictionary<string, long> by = line.IsRefused ? _refused : _closed;
            by[line.Reason] = by.GetValueOrDefault(line.Reason) + 1;
        }
    }

    private SortedDictionary<string, long> Copy(SortedDictionary<string, long> sums)
    {
        lock (_gate)
        {
            return new SortedDictionary<string, long>(sums, StringComparer.Ordinal);
        }
    }
}

/// <summary>What has been compared. One thread at a time.</summary>
internal sealed class JudgedTotals
{
    public SortedDictionary<ClientKind, int> Kinds { get; } = [];

    /// <summary>Connections of which both ends saw everything as planned.</summary>
    public int InGoodOrder { get; set; }

    /// <summary>Clients that connected, and were reset before the balancer accepted them.</summary>
    public int NeverAccepted { get; set; }

    /// <summary>Bytes that were compared, at both ends.</summary>
    public long Bytes { get; set; }
}
