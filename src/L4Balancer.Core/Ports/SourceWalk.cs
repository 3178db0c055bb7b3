using System.Collections.Immutable;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Ports;

/// <summary>
/// How one connection looks for a local port towards one backend: first from the source with most free ports, in a window where many
/// are in use, and in the whole range where windows were full; then from the other sources, one after the other. One thread;
/// allocates nothing.
/// </summary>
internal struct SourceWalk
{
    /// <summary>Of many sources a few are compared, from the connection's turn on: that spreads as well, and costs the same for all.</summary>
    private const int MostCompared = 8;

    /// <summary>Others may use the ports of a window; after so many the whole range is searched.</summary>
    private const int MostWindows = 8;

    private int _turn;
    private int _first;
    private int _step;
    private int _windows;

    /// <summary>In force for the connect that was asked for last.</summary>
    public PortWindow? Window { get; private set; }

    /// <param name="turn">Another one for each connection.</param>
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

    /// <returns>Null where every source was tried.</returns>
    public readonly PortUse? Current(ImmutableArray<PortUse> sources) =>
        _step >= sources.Length ? null : sources[At(_step == 0 ? _first : _step <= _first ? _step - 1 : _step, sources.Length)];

    /// <returns>Whether the kernel has refused every one of them a moment ago; then each is one more time exhausted.</returns>
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

    /// <summary>Decides where the next connect from this source looks.</summary>
    public void Aim(PortUse use, Instant now)
    {
        Window = _windows < MostWindows ? use.Window(now) : null;
        _windows++;
    }

    private readonly int At(int place, int count) => (_turn + place) % count;
}
