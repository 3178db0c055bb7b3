namespace L4Balancer.Core.Ports;

/// <summary>
/// What is known of each port from one source to one destination: a byte a port, and only for pairs that use many of them. It finds
/// where free ports are; the kernel has the last word, so that a moment's error between threads does no harm. Any thread.
/// </summary>
internal sealed class PortMap
{
    /// <summary>
    /// A scan of so many ports costs about a microsecond. The kernel begins at a place of its own in it, so that ports stay as hard to
    /// guess as there are free ones in it (RFC 6056).
    /// </summary>
    private const int WindowSize = 32;

    private const byte Free = 0;

    /// <summary>Stamps 1 to 250 say in which second a port was left in TIME_WAIT; it is swept long before they come round.</summary>
    private const int Stamps = 250;

    private const byte Foreign = 254;
    private const byte Held = 255;

    /// <summary>Successive multiples of it fall far from each other (the golden ratio of 2^32; Knuth, 6.4).</summary>
    private const uint Golden = 2_654_435_769;

    private readonly byte[] _ports;
    private uint _turn;

    /// <param name="before">What was known while the range was another.</param>
    public PortMap(PortRange range, PortMap? before)
    {
        Range = range;
        _ports = new byte[range.Last - range.First + 1];
        for (int port = range.First; port <= range.Last; port++)
        {
            _ports[port - range.First] = range.IsReserved(port) ? Held
                : before is not null && before.Range.First <= port && port <= before.Range.Last && !before.Range.IsReserved(port)
                    ? before._ports[port - before.Range.First]
                    : Free;
        }
    }

    public PortRange Range { get; }

    /// <summary>A connection has this port.</summary>
    /// <returns>The second since which it had been in TIME_WAIT; -1 where it was not.</returns>
    public long Hold(int port, long second)
    {
        if (!Knows(port))
        {
            return -1;
        }

        ref byte state = ref _ports[port - Range.First];
        byte before = state;
        state = Held;
        return before is Free or > Stamps || Age(before, second) >= TimeWaits.Seconds ? -1 : second - Age(before, second);
    }

    public void LetGo(int port, bool waits, long second)
    {
        if (Knows(port))
        {
            _ports[port - Range.First] = waits ? (byte)(1 + (second % Stamps)) : Free;
        }
    }

    /// <summary>The kernel has found no free port there: what we took for free belongs to others, until the next sweep.</summary>
    public void NoteTaken(PortWindow window)
    {
        for (int port = window.First; port <= window.Last; port++)
        {
            if (Knows(port) && _ports[port - Range.First] == Free)
            {
                _ports[port - Range.First] = Foreign;
            }
        }
    }

    /// <summary>
    /// A part of the range with a free port in it, from another place each time. Where none is free it is any part: a port in TIME_WAIT
    /// may be given again.
    /// </summary>
    public PortWindow Find()
    {
        int from = (int)(((ulong)(Interlocked.Increment(ref _turn) * Golden) * (ulong)_ports.Length) >> 32);
        int place = _ports.AsSpan(from).IndexOf(Free);
        place = place >= 0 ? from + place : _ports.AsSpan(0, from).IndexOf(Free);
        int first = Math.Min(place < 0 ? from : place, Math.Max(0, _ports.Length - WindowSize));
        int last = Math.Min(first + WindowSize, _ports.Length) - 1;
        return new PortWindow((ushort)(Range.First + first), (ushort)(Range.First + last));
    }

    /// <summary>Forgets TIME_WAIT that is over, and what others had. To be called at least every three minutes.</summary>
    public void Sweep(long second)
    {
        foreach (ref byte state in _ports.AsSpan())
        {
            if (state == Foreign || (state is > Free and <= Stamps && Age(state, second) >= TimeWaits.Seconds))
            {
                state = Free;
            }
        }
    }

    private bool Knows(int port) => Range.First <= port && port <= Range.Last && !Range.IsReserved(port);

    private static long Age(byte stamp, long second) => ((second % Stamps) - (stamp - 1) + Stamps) % Stamps;
}
