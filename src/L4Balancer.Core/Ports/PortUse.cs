using System.Globalization;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Ports;

/// <summary>
/// The local ports in use from one source address to one destination: those of connections, and those that the balancer left in
/// TIME_WAIT less than a minute ago. Kept by source and destination across snapshots. The counts only guide the choice of ports and
/// warnings; a connect fails only when the kernel refuses. Any thread.
/// </summary>
public sealed class PortUse(LocalAddressState source, Endpoint destination, PortSupply supply)
{
    /// <summary>
    /// A map of the single ports is kept once 1/32 of the range is in use; below that it would take more memory than the connections.
    /// </summary>
    private const int MapFrom = 32;

    /// <summary>
    /// Connects choose from windows once 1/4 of the range is in use. Without a window the kernel tries every second port first, so that
    /// with half of the range in use it has to search the other half port by port.
    /// </summary>
    private const int WindowsFrom = 4;

    /// <summary>A range of this size or less is searched as fast as a window.</summary>
    private const int SmallRange = 128;

    /// <summary>
    /// After the kernel has refused, no connect is tried for this time: an unsuccessful search of 28,000 ports takes about two
    /// milliseconds, which delays every connection of the thread. The time ends early when the balancer frees a port.
    /// </summary>
    private static readonly TimeSpan RefusalHolds = TimeSpan.FromMilliseconds(100);

    /// <summary>For this time after a refusal other sources are preferred.</summary>
    private static readonly TimeSpan AvoidedFor = TimeSpan.FromSeconds(1);

    private int _held;
    private TimeWaits? _waits;
    private PortMap? _map;
    private long _refusedUntil;
    private long _avoidedUntil;

    public LocalAddressState Source { get; } = source;

    public Endpoint Destination { get; } = destination;

    /// <summary>False if the destination is a UNIX socket: connections are counted, but no port is taken and none waits.</summary>
    public bool HasPorts => !Destination.IsUnix;

    /// <summary>Ports of connections, including those that are being connected.</summary>
    public int Held => Volatile.Read(ref _held);

    /// <summary>Number of ports in the range; 0 if it is not known.</summary>
    public int Limit => supply.Range.Count;

    /// <summary>Whether no port is in use, as of the last update.</summary>
    internal bool IsUnused => Held == 0 && Volatile.Read(ref _waits) is not { Total: > 0 };

    /// <summary>Ports that are not available for a new connection, as far as is known.</summary>
    public int InUse(Instant now) => Held + (Volatile.Read(ref _waits)?.At(SecondOf(now)) ?? 0);

    /// <summary>Free ports, for comparing sources; strongly reduced if the kernel has refused recently.</summary>
    internal int Room(Instant now) => Limit - InUse(now) - (now.Ticks < Volatile.Read(ref _avoidedUntil) ? int.MaxValue / 2 : 0);

    /// <summary>Whether the kernel has refused recently and the balancer has not freed a port since.</summary>
    internal bool IsRefused(Instant now) => now.Ticks < Volatile.Read(ref _refusedUntil);

    /// <summary>The part of the range in which a connect should search for a port; null means the whole range.</summary>
    internal PortWindow? Window(Instant now)
    {
        PortRange range = supply.Range;
        return HasPorts && supply.HasWindows && range.Count > SmallRange && Volatile.Read(ref _map) is { } map && map.Range == range
            && InUse(now) >= range.Count / WindowsFrom ? map.Find() : null;
    }

    /// <summary>Counts a connect that begins.</summary>
    internal void Take()
    {
        Interlocked.Increment(ref _held);
        Source.Touch();
    }

    /// <summary>Records which port a connect got.</summary>
    internal void Connected(ushort port, Instant now)
    {
        long second = SecondOf(now);
        if (HasPorts && MapOf(supply.Range, now) is { } map && map.Hold(port, second) is >= 0 and long since)
        {
            Volatile.Read(ref _waits)?.Remove(since);
        }
    }

    /// <summary>Returns a port.</summary>
    /// <param name="port">0 if none is known, because the connect failed.</param>
    /// <param name="waits">Whether the port stays in TIME_WAIT.</param>
    internal void Return(ushort port, bool waits, Instant now)
    {
        Interlocked.Decrement(ref _held);
        if (waits && HasPorts)
        {
            (Volatile.Read(ref _waits) ?? Made(ref _waits, new TimeWaits())).Add(SecondOf(now));
        }
        else
        {
            Forgive();
        }

        if (port != 0)
        {
            Volatile.Read(ref _map)?.LetGo(port, waits, SecondOf(now));
        }
    }

    /// <summary>Counts a port whose connection comes from another engine or process.</summary>
    internal void TakeOver(ushort port)
    {
        Take();
        if (port != 0)
        {
            Volatile.Read(ref _map)?.TakeOver(port);
        }
    }

    /// <summary>Ends the count of a port whose connection goes on in another engine or process.</summary>
    internal void Lend(ushort port)
    {
        Interlocked.Decrement(ref _held);
        if (port != 0)
        {
            Volatile.Read(ref _map)?.Lend(port);
        }
    }

    /// <summary>Writes the ports that are in TIME_WAIT, by the second in which they entered it on the monotonic clock.</summary>
    internal void WriteTo(CounterSheet sheet, Instant now)
    {
        if (Volatile.Read(ref _waits) is not { } waits)
        {
            return;
        }

        long second = SecondOf(now);
        for (long entered = second - TimeWaits.Seconds + 1; entered <= second; entered++)
        {
            sheet[entered.ToString(CultureInfo.InvariantCulture)] = waits.Entered(entered, second);
        }
    }

    /// <summary>Adds ports that another process left in TIME_WAIT.</summary>
    internal void Add(CounterSheet waiting, Instant now)
    {
        foreach ((string name, long count) in waiting.Values)
        {
            if (HasPorts && long.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out long entered))
            {
                (Volatile.Read(ref _waits) ?? Made(ref _waits, new TimeWaits())).Add(entered, (int)Math.Clamp(count, 0, ushort.MaxValue), SecondOf(now));
            }
        }
    }

    /// <summary>The ports that are known not to be free; empty while few are in use.</summary>
    internal IReadOnlyList<PortRun> Runs => Volatile.Read(ref _map)?.Runs() ?? [];

    /// <summary>
    /// Marks ports that another process uses or has left in TIME_WAIT, so that connects do not try them in vain: those of connections until they come
    /// over, or the next sweep.
    /// </summary>
    internal void Mark(IReadOnlyList<PortRun> runs)
    {
        PortRange range = supply.Range;
        if (runs.Count == 0 || range.Count == 0 || !HasPorts)
        {
            return;
        }

        (Volatile.Read(ref _map) ?? Made(ref _map, new PortMap(range, null))).Mark(runs);
    }

    /// <summary>Ends the count of a connect that got no port.</summary>
    internal void ReturnNothing() => Interlocked.Decrement(ref _held);

    /// <summary>Records that the kernel found no port in a window.</summary>
    internal void NoteTaken(PortWindow window) => Volatile.Read(ref _map)?.NoteTaken(window);

    /// <summary>Records that the kernel found no port in the whole range.</summary>
    internal void NoteRefused(Instant now)
    {
        Volatile.Write(ref _refusedUntil, (now + RefusalHolds).Ticks);
        Volatile.Write(ref _avoidedUntil, (now + AvoidedFor).Ticks);
    }

    /// <summary>Records that the source address does not belong to this host.</summary>
    internal void NoteUnusable(Instant now) => Volatile.Write(ref _avoidedUntil, (now + AvoidedFor).Ticks);

    /// <summary>Removes expired TIME_WAIT entries. Must be called every few seconds.</summary>
    internal void Sweep(Instant now)
    {
        if (HasPorts)
        {
            InUse(now);
            MapOf(supply.Range, now)?.Sweep(SecondOf(now));
        }
    }

    private static long SecondOf(Instant now) => now.Ticks / TimeSpan.TicksPerSecond;

    private static T Made<T>(ref T? place, T made)
        where T : class => Interlocked.CompareExchange(ref place, made, null) ?? made;

    // The map does not know the ports of connections older than itself. They are few, and a connect whose window is full of them retries.
    private PortMap? MapOf(PortRange range, Instant now)
    {
        PortMap? map = Volatile.Read(ref _map);
        if (map?.Range == range || range.Count == 0 || (map is null && InUse(now) < range.Count / MapFrom))
        {
            return map;
        }

        var made = new PortMap(range, map);
        PortMap? before = Interlocked.CompareExchange(ref _map, made, map);
        return before == map ? made : before;
    }

    private void Forgive()
    {
        if (Volatile.Read(ref _refusedUntil) != 0)
        {
            Volatile.Write(ref _refusedUntil, 0);
            Volatile.Write(ref _avoidedUntil, 0);
        }
    }
}
