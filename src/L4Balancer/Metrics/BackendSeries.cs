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
    private BackendState[] _states;

    /// <param name="pool">Null where the backend is in the file no more.</param>
    public BackendSeries(Pool? pool, Backend backend)
    {
        Pool = pool;
        Backend = backend;
        _states = [backend.State];
        _pool = new KeyValuePair<string, object?>(MetricNames.Pool, backend.State.Pool);
        _name = new KeyValuePair<string, object?>(MetricNames.Backend, backend.Name);
    }

    /// <summary>Equal for two that are one series.</summary>
    public (string Pool, string Name) Key => (Backend.State.Pool, Backend.Name);

    /// <summary>The pool in force that it belongs to; null where it has left the file.</summary>
    public Pool? Pool { get; }

    /// <summary>The one in force or, where there is none, the latest to leave.</summary>
    public Backend Backend { get; }

    public bool IsInForce => Pool is not null;

    public int Active
    {
        get
        {
            int sum = 0;
            foreach (BackendState state in _states)
            {
                sum += state.Active;
            }

            return sum;
        }
    }

    /// <summary>Whether a counter is reported: a zero only where the backend is in force.</summary>
    public bool Shows(long count, out long shown) => (shown = count) > 0 || IsInForce;

    public void Add(BackendState removed) => _states = [.. _states, removed];

    public long Sum(Func<BackendState, long> count)
    {
        if (_states.Length == 1)
        {
            return count(_states[0]);
        }

        long sum = 0;
        foreach (BackendState state in _states)
        {
            sum += count(state);
        }

        return sum;
    }

    public long Sum(Func<BackendState, ReasonCounters> counters, CloseReason reason)
    {
        long sum = 0;
        foreach (BackendState state in _states)
        {
            sum += counters(state)[reason];
        }

        return sum;
    }

    public Measurement<long> Measure(long value) => new(value, _name, _pool);

    public Measurement<double> Measure(double value) => new(value, _name, _pool);

    // Sorted by name, as the SDK keeps them: in another order it would keep both.
    public Measurement<long> Measure(long value, in KeyValuePair<string, object?> label) =>
        string.CompareOrdinal(label.Key, MetricNames.Pool) < 0 ? new(value, _name, label, _pool) : new(value, _name, _pool, label);
}
