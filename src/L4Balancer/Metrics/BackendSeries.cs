using System.Diagnostics.Metrics;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Routing;

namespace L4Balancer.Metrics;

/// <summary>
/// What one pair of the labels pool and backend stands for: the backend of this name in the configuration in force, and those that
/// have left it under the same name (at another address, say). Their counts are one sum, so that no counter goes back by a reload.
/// </summary>
internal sealed class BackendSeries
{
    private readonly KeyValuePair<string, object?> _pool;
    private readonly KeyValuePair<string, object?> _name;
    private BackendCell[] _cells;

    /// <param name="pool">Null where the backend is in the file no more.</param>
    public BackendSeries(Pool? pool, Backend backend)
    {
        Pool = pool;
        Backend = backend;
        _cells = [backend.Cell];
        _pool = new KeyValuePair<string, object?>(MetricNames.Pool, backend.Cell.Pool);
        _name = new KeyValuePair<string, object?>(MetricNames.Backend, backend.Name);
    }

    /// <summary>The pool in force that it belongs to; null where it has left the file.</summary>
    public Pool? Pool { get; }

    /// <summary>The one in force or, where there is none, the latest to leave.</summary>
    public Backend Backend { get; }

    public int Active
    {
        get
        {
            int sum = 0;
            foreach (BackendCell cell in _cells)
            {
                sum += cell.Active;
            }

            return sum;
        }
    }

    public void Add(BackendCell departed) => _cells = [.. _cells, departed];

    public long Sum(Func<BackendCell, long> count)
    {
        if (_cells.Length == 1)
        {
            return count(_cells[0]);
        }

        long sum = 0;
        foreach (BackendCell cell in _cells)
        {
            sum += count(cell);
        }

        return sum;
    }

    public long Sum(Func<BackendCell, ReasonCounters> counters, CloseReason reason)
    {
        long sum = 0;
        foreach (BackendCell cell in _cells)
        {
            sum += counters(cell)[reason];
        }

        return sum;
    }

    public Measurement<long> Measure(long value) => new(value, _pool, _name);

    public Measurement<double> Measure(double value) => new(value, _pool, _name);

    public Measurement<long> Measure(long value, in KeyValuePair<string, object?> label) => new(value, _pool, _name, label);
}
