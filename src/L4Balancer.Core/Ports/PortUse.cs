using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Ports;

/// <summary>
/// The local ports in use from one source address to one destination: those of connections, and those that we left in TIME_WAIT under
/// a minute ago. Kept by source and destination from snapshot to snapshot. It chooses and warns; only the kernel refuses. Any thread.
/// </summary>
public sealed class PortUse(SourceCell source, Endpoint destination, PortSupply supply)
{
    /// <summary>Each port is known where this part of them is in use: before that a byte a port would be more than its connections.</summary>
    private const int MapFrom = 32;

    /// <summary>
    /// From this part on connects choose from windows. Left alone the kernel tries every second port first, so that half of the range in
    /// use is enough to make it search the other half port by port.
    /// </summary>
    private const int WindowsFrom = 4;

    /// <summary>A range as small as this is searched as fast as a window.</summary>
    private const int SmallRange = 128;

    /// <summary>
    /// How long the kernel is not asked again after it has refused: to search 28,000 ports in vain takes about two milliseconds, which
    /// every connection that is served meanwhile would wait for. A port of ours that gets free ends it.
    /// </summary>
    private static readonly TimeSpan RefusalHolds = TimeSpan.FromMilliseconds(100);

    /// <summary>How long other sources come first.</summary>
    private static readonly TimeSpan AvoidedFor = TimeSpan.FromSeconds(1);

    private int _held;
    private TimeWaits? _waits;
    private PortMap? _map;
    private long _refusedUntil;
    private long _avoidedUntil;

    public SourceCell Source { get; } = source;

    public Endpoint Destination { get; } = destination;

    /// <summary>Ports of connections, those included that are being connected.</summary>
    public int Held => Volatile.Read(ref _held);

    /// <summary>0 where it is not known.</summary>
    public int Limit => supply.Range.Count;

    /// <summary>Nothing is counted here, as of the last look.</summary>
    internal bool IsUnused => Held == 0 && Volatile.Read(ref _waits) is not { Total: > 0 };

    /// <summary>Ports that a new connection can not have, as far as we know.</summary>
    public int InUse(Instant now) => Held + (Volatile.Read(ref _waits)?.At(SecondOf(now)) ?? 0);

    /// <summary>For comparing sources: free ports, or less than that where the kernel has just refused.</summary>
    internal int Room(Instant now) => Limit - InUse(now) - (now.Ticks < Volatile.Read(ref _avoidedUntil) ? int.MaxValue / 2 : 0);

    /// <summary>The kernel has refused a moment ago, and no port of ours has become free since.</summary>
    internal bool IsRefused(Instant now) => now.Ticks < Volatile.Read(ref _refusedUntil);

    /// <summary>Where a connect should look for its port; null: anywhere.</summary>
    internal PortWindow? Window(Instant now)
    {
        PortRange range = supply.Range;
        return supply.HasWindows && range.Count > SmallRange && Volatile.Read(ref _map) is { } map && map.Range == range
            && InUse(now) >= range.Count / WindowsFrom ? map.Find() : null;
    }

    /// <summary>A connect begins.</summary>
    internal void Take()
    {
        Interlocked.Increment(ref _held);
        Source.Touch();
    }

    /// <summary>The connect that took a port has this one.</summary>
    internal void Connected(ushort port, Instant now)
    {
        long second = SecondOf(now);
        if (MapOf(supply.Range, now) is { } map && map.Hold(port, second) is >= 0 and long since)
        {
            Volatile.Read(ref _waits)?.Remove(since);
        }
    }

    /// <summary>A port is returned.</summary>
    /// <param name="port">0 where none is known: the connect came to nothing.</param>
    /// <param name="waits">It stays in TIME_WAIT.</param>
    internal void Return(ushort port, bool waits, Instant now)
    {
        Interlocked.Decrement(ref _held);
        if (waits)
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

    /// <summary>A connect got no port at all.</summary>
    internal void ReturnNothing() => Interlocked.Decrement(ref _held);

    /// <summary>The kernel found no port in a window.</summary>
    internal void NoteTaken(PortWindow window) => Volatile.Read(ref _map)?.NoteTaken(window);

    /// <summary>The kernel found no port in the whole range.</summary>
    internal void NoteRefused(Instant now)
    {
        Volatile.Write(ref _refusedUntil, (now + RefusalHolds).Ticks);
        Volatile.Write(ref _avoidedUntil, (now + AvoidedFor).Ticks);
    }

    /// <summary>The source is not of this host.</summary>
    internal void NoteUnusable(Instant now) => Volatile.Write(ref _avoidedUntil, (now + AvoidedFor).Ticks);

    /// <summary>Forgets what time has ended. To be called every few seconds.</summary>
    internal void Sweep(Instant now)
    {
        InUse(now);
        MapOf(supply.Range, now)?.Sweep(SecondOf(now));
    }

    private static long SecondOf(Instant now) => now.Ticks / TimeSpan.TicksPerSecond;

    private static T Made<T>(ref T? place, T made)
        where T : class => Interlocked.CompareExchange(ref place, made, null) ?? made;

    // The ports of connections that were there before the map are unknown to it: few, and a window that meets them moves on.
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
