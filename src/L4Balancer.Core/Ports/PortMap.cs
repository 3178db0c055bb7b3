namespace L4Balancer.Core.Ports;

/// <summary>
/// The state of each port from one source to one destination, one byte per port, kept only for pairs that use many ports. It finds
/// parts of the range with free ports. The kernel makes the final decision, so brief inconsistencies between threads are harmless.
/// Any thread.
/// </summary>
internal sealed class PortMap
{
    /// <summary>
    /// Ports in a window; the kernel scans it in about a microsecond. It starts at a random position in the window, so a port is as hard
    /// to guess as the number of free ports in the window allows (RFC 6056).
    /// </summary>
    private const int WindowSize = 32;

    private const byte Free = 0;

    /// <summary>Stamps 1 to 250 encode the second in which a port entered TIME_WAIT. They are swept long before they repeat.</summary>
    private const int Stamps = 250;

    private const byte Foreign = 254;
    private const byte Held = 255;

    /// <summary>Successive multiples of it are far apart modulo 2^32 (multiplicative hashing with the golden ratio; Knuth, 6.4).</summary>
    private const uint Golden = 2_654_435_769;

    private readonly byte[] _ports;
    private uint _turn;

    /// <param name="before">The map of the previous range, whose states are taken over; null if there is none.</param>
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

    /// <summary>Marks a port as used by a connection.</summary>
    /// <returns>The second in which the port had entered TIME_WAIT; -1 if it was not in TIME_WAIT.</returns>
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

    /// <summary>The ports that are not free, in order; reserved ones are left out.</summary>
    public IReadOnlyList<PortRun> Runs()
    {
        List<PortRun> runs = [];
        for (int i = 0; i < _ports.Length; i++)
        {
            byte state = _ports[i];
            if (state == Free || Range.IsReserved(Range.First + i))
            {
                continue;
            }

            int port = Range.First + i;
            if (runs.Count > 0 && runs[^1] is var last && last.State == state && last.First + last.Count == port)
            {
                runs[^1] = last with { Count = (ushort)(last.Count + 1) };
            }
            else
            {
                runs.Add(new PortRun((ushort)port, 1, state));
            }
        }

        return runs;
    }

    /// <summary>Takes over the states of free ports from another process's map; a port that is held there is another process's here.</summary>
    public void Mark(IReadOnlyList<PortRun> runs)
    {
        foreach (PortRun run in runs)
        {
            for (int port = run.First; port < run.First + run.Count; port++)
            {
                if (Knows(port) && _ports[port - Range.First] == Free)
                {
                    Set(port, run.State is > Free and <= Stamps ? run.State : Foreign);
                }
            }
        }
    }

    /// <summary>Marks the port of a connection that comes from another engine or process.</summary>
    public void TakeOver(int port) => Set(port, Held);

    /// <summary>Marks the port of a connection that goes on in another process, until the next sweep.</summary>
    public void Lend(int port) => Set(port, Foreign);

    /// <summary>
    /// Records that the kernel found no free port in the window: ports believed free belong to other processes, until the next sweep.
    /// </summary>
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
    /// Returns a part of the range that has a free port, starting at a different position each time. If no port is free it returns any
    /// part, because the kernel may reuse a port in TIME_WAIT.
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

    /// <summary>
    /// Frees ports whose TIME_WAIT has expired and ports of other processes. Must be called at least every three minutes.
    /// </summary>
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

    private void Set(int port, byte state)
    {
        if (Knows(port))
        {
            _ports[port - Range.First] = state;
        }
    }

    private bool Knows(int port) => Range.First <= port && port <= Range.Last && !Range.IsReserved(port);

    private static long Age(byte stamp, long second) => ((second % Stamps) - (stamp - 1) + Stamps) % Stamps;
}

/// <summary>Ports one after the other that are in one state. What the states mean is part of the format between processes.</summary>
/// <param name="State">1 to 250: in TIME_WAIT since a second that is one less modulo 250; 254: of another process; 255: of a connection.</param>
internal readonly record struct PortRun(ushort First, ushort Count, byte State);
