using System.Diagnostics;

namespace L4Balancer.Tests.Chaos;

/// <summary>What must not have happened, each with the time since the start of the run. Any thread.</summary>
internal sealed class Violations
{
    /// <summary>One fault shows at many connections; the first ones are enough to find it.</summary>
    private const int MostKept = 100;

    private readonly Stopwatch _since = Stopwatch.StartNew();
    private readonly List<string> _all = [];
    private int _count;

    public int Count => Volatile.Read(ref _count);

    public TimeSpan Elapsed => _since.Elapsed;

    /// <summary>The first ones.</summary>
    public IReadOnlyList<string> First
    {
        get
        {
            lock (_all)
            {
                return [.. _all];
            }
        }
    }

    /// <summary>Called for each as it is found.</summary>
    public Action<string> Found { get; init; } = static _ => { };

    public void Add(string what)
    {
        Interlocked.Increment(ref _count);
        string line = $"{_since.Elapsed.TotalSeconds:F2} s: {what}";
        lock (_all)
        {
            if (_all.Count == MostKept)
            {
                return;
            }

            _all.Add(line);
        }

        Found(line);
    }
}
