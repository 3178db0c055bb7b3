namespace L4Balancer.Core.Accounting;

/// <summary>
/// The values of counters by name, on their way from one process to another that adds them to its own. A name never changes its meaning, and
/// one that the reader does not know is left out. One thread at a time.
/// </summary>
public sealed class CounterSheet
{
    private readonly Dictionary<string, long> _values = [];

    /// <summary>Those that are not zero, in no particular order.</summary>
    public IEnumerable<KeyValuePair<string, long>> Values => _values;

    public bool IsEmpty => _values.Count == 0;

    /// <summary>0 if there is no such counter.</summary>
    public long this[string name]
    {
        get => _values.GetValueOrDefault(name);
        set
        {
            if (value == 0)
            {
                _values.Remove(name);
            }
            else
            {
                _values[name] = value;
            }
        }
    }

    /// <summary>By how much the counters have grown; what has not grown is left out, for a counter never steps back.</summary>
    /// <param name="before">An earlier sheet of the same object; null: all of it has grown.</param>
    public CounterSheet Since(CounterSheet? before)
    {
        if (before is null)
        {
            return this;
        }

        var grown = new CounterSheet();
        foreach ((string name, long value) in _values)
        {
            grown[name] = Math.Max(0, value - before[name]);
        }

        return grown;
    }
}

/// <summary>A part of the balancer that has counters which are to go over to the process that takes its place. Any thread.</summary>
public interface ICarriedCounters
{
    /// <summary>Tells the parts of a process apart; the same in every version.</summary>
    string CarriedName { get; }

    /// <summary>Writes the values so far to an empty sheet.</summary>
    void WriteTo(CounterSheet sheet);

    /// <summary>Adds what the other process has counted. May be called several times, each time with what has come since.</summary>
    void Add(CounterSheet counted);
}
