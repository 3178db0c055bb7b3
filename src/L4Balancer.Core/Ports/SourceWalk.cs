using System.Collections.Immutable;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Ports;

/// <summary>
/// The search of one connection for a local port towards one backend: first from the source with the most free ports, within a window
/// if many ports are in use, then in the whole range if windows were full; then from the other sources in order. One thread;
/// allocates nothing.
/// </summary>
internal struct SourceWalk
{
    /// <summary>
    /// Number of sources that are compared, starting at the connection's turn: this spreads as evenly as comparing all, at a bounded
    /// cost.
    /// </summary>
    private const int MostCompared = 8;

    /// <summary>Other processes may use the ports of a window; after this many windows the whole range is searched.</summary>
    private const int MostWindows = 8;

    private int _turn;
    private int _first;
    private int _step;
    private int _windows;

    /// <summary>The window of the latest connect.</summary>
    public PortWindow? Window { get; private set; }

    /// <param name="turn">A different value for each connection.</param>
    public void Begin(ImmutableArray<PortUse> sources, uint turn, Instant now)
    {
        this = default;
        if (sources.Length < 2)
        {
            return;
        }

        _turn = (int)(turn % (uint)sources.Length);
        int best = int.MinValue;
        for (int i = 0; i < Math.Min(sources.Length, MostCompared); i++)
        {
            int room = sources[At(i, sources.Length)].Room(now);
            if (room > best)
            {
                (best, _first) = (room, i);
            }
        }
    }

    /// <returns>Null if every source was tried.</returns>
    public readonly PortUse? Current(ImmutableArray<PortUse> sources) =>
        _step >= sources.Length ? null : sources[At(_step == 0 ? _first : _step <= _first ? _step - 1 : _step, sources.Length)];

    /// <returns>Whether the kernel has recently refused every one of them; each is then counted as exhausted once more.</returns>
    public static bool CountIfRefused(ImmutableArray<PortUse> sources, Instant now)
    {
        foreach (PortUse use in sources)
        {
            if (!use.IsRefused(now))
            {
                return false;
            }
        }

        foreach (PortUse use in sources)
        {
            use.Source.CountExhausted();
        }

        return true;
    }

    public void MoveOn()
    {
        _step++;
        _windows = 0;
        Window = null;
    }

    /// <summary>Selects the window for the next connect from this source.</summary>
    public void Aim(PortUse use, Instant now)
    {
        Window = _windows < MostWindows ? use.Window(now) : null;
        _windows++;
    }

    private readonly int At(int place, int count) => (_turn + place) % count;
}
