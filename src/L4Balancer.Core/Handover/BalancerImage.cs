using L4Balancer.Core.Accounting;
using L4Balancer.Core.Ports;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Sticky;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Handover;

/// <summary>
/// What a process has counted and learnt, in bytes for the process that takes its place: every counter by the names of what it belongs to, the
/// tables of sticky keys, the local ports in use, and the ids given so far. It is taken whole once, and then as often as needed as the difference
/// since the last time, which the other process adds: so counters never step back. Gauges are not in it: they follow from the connections that come
/// over. What a client has left of its rate is not either: it has a full second's worth in the new process. One thread at a time; what it
/// reads may change meanwhile.
/// </summary>
/// <param name="parts">Parts outside of the snapshot that count, each with another name.</param>
public sealed class BalancerImage(IReadOnlyCollection<ICarriedCounters> parts)
{
    /// <summary>The version that this build writes; as <see cref="CarriedRecord.FormatVersion"/>.</summary>
    public const byte FormatVersion = 1;

    /// <summary>Ids begin this much later in the new process, because the old one goes on to give some for a while.</summary>
    public const ulong IdGap = 1 << 20;

    /// <summary>At most so many entries of sticky keys go over, those first whose connections ended last: about 50 MB.</summary>
    internal const int MostStickyEntries = 1_000_000;

    // Numbers are never used again.
    internal const ushort ProcessTag = 1 | FieldWriter.Mandatory;
    internal const ushort ListenerTag = 2;
    internal const ushort PoolTag = 3;
    internal const ushort BackendTag = 4;
    internal const ushort SourceTag = 5;
    internal const ushort PortsTag = 6;
    internal const ushort StickyTag = 7;
    internal const ushort PartTag = 8;

    private readonly Dictionary<object, CounterSheet> _before = new(ReferenceEqualityComparer.Instance);
    private Instant _takenAt;

    /// <summary>All of it. The differences that follow count from here.</summary>
    public byte[] Capture(RoutingSnapshot snapshot, Instant now)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        _before.Clear();
        _takenAt = default;
        return Take(snapshot, now, isWhole: true);
    }

    /// <summary>What has come since <see cref="Capture"/>, or since the last difference: counters, ports that went into TIME_WAIT, sticky keys.</summary>
    public byte[] TakeDifference(RoutingSnapshot snapshot, Instant now)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        return Take(snapshot, now, isWhole: false);
    }

    /// <summary>
    /// Adds an image of another process, whole or a difference, to this one. The bytes are read as if they were hostile: all of them before
    /// anything is changed. For a whole one nothing may have been accepted yet; a difference may come at any time.
    /// </summary>
    /// <param name="snapshot">In force, or about to be.</param>
    /// <param name="survivors">Keeps what belongs to names that the configuration does not have.</param>
    /// <param name="fault">Why nothing was added; empty if all of it was.</param>
    /// <returns>False if nothing was added.</returns>
    public bool TryAdd(ReadOnlySpan<byte> image, RoutingSnapshot snapshot, Survivors survivors, Instant now, out string fault)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        ArgumentNullException.ThrowIfNull(survivors);
        fault = ImageReader.Read(image, null);
        if (fault.Length == 0)
        {
            ImageReader.Read(image, new ImageTarget(snapshot, survivors, parts, now));
        }

        return fault.Length == 0;
    }

    private byte[] Take(RoutingSnapshot snapshot, Instant now, bool isWhole)
    {
        var writer = new FieldWriter(64 * 1024);
        writer.Byte(FormatVersion);
        int field = writer.Begin(ProcessTag);
        writer.Long((long)snapshot.State.LastId);
        Write(writer, Grown(snapshot.State, snapshot.State.WriteTo));
        writer.End(field);
        WriteStates(writer, snapshot, isWhole);
        foreach (PortUse use in snapshot.Ports.All)
        {
            WritePorts(writer, use, now, isWhole);
        }

        foreach (Pool pool in snapshot.Pools)
        {
            WriteSticky(writer, pool);
        }

        foreach (ICarriedCounters part in parts)
        {
            WriteNamed(writer, PartTag, Grown(part, part.WriteTo), w => w.Text(part.CarriedName));
        }

        _takenAt = now;
        return writer.ToArray();
    }

    private void WriteStates(FieldWriter writer, RoutingSnapshot snapshot, bool isWhole)
    {
        foreach (ListenerState listener in snapshot.Listeners.Select(static l => l.State).Concat(snapshot.Removed.Listeners))
        {
            WriteNamed(writer, ListenerTag, Grown(listener, listener.WriteTo), w => w.Text(listener.Name));
        }

        Backend[] backends = [.. snapshot.Pools.SelectMany(static p => p.Backends), .. snapshot.Removed.Backends];
        foreach (PoolState pool in snapshot.Pools.Select(static p => p.State).Concat(backends.Select(static b => b.State.PoolState)).Distinct())
        {
            WriteNamed(writer, PoolTag, Grown(pool, pool.WriteTo), w => w.Text(pool.Name), w => w.Long(pool.Closing.Next.Ticks), isWhole);
        }

        foreach (Backend backend in backends)
        {
            BackendState state = backend.State;
            WriteNamed(writer, BackendTag, Grown(state, state.WriteTo), w =>
            {
                w.Text(state.Pool);
                w.Text(state.Name);
                w.Text(backend.Settings.Address);
            });
        }

        foreach (LocalAddressState source in snapshot.Sources)
        {
            WriteNamed(writer, SourceTag, Grown(source, source.WriteTo), w =>
            {
                w.Flag(source.Address is not null);
                w.Address(source.Address ?? default);
            });
        }
    }

    private void WritePorts(FieldWriter writer, PortUse use, Instant now, bool isWhole)
    {
        CounterSheet waiting = Grown(use, sheet => use.WriteTo(sheet, now));
        IReadOnlyList<PortRun> runs = isWhole ? use.Runs : [];
        if (waiting.IsEmpty && runs.Count == 0)
        {
            return;
        }

        int field = writer.Begin(PortsTag);
        writer.Flag(use.Source.Address is not null);
        writer.Address(use.Source.Address ?? default);
        writer.Endpoint(use.Destination);
        Write(writer, waiting);
        writer.Int(runs.Count);
        foreach (PortRun run in runs)
        {
            writer.Short(run.First);
            writer.Short(run.Count);
            writer.Byte(run.State);
        }

        writer.End(field);
    }

    private void WriteSticky(FieldWriter writer, Pool pool)
    {
        if (pool.Sticky is not { } table)
        {
            return;
        }

        List<StickyEntry> entries = table.Copy(_takenAt);
        int first = Math.Max(0, entries.Count - MostStickyEntries);
        Dictionary<BackendState, int> backends = [];
        for (int i = first; i < entries.Count; i++)
        {
            backends.TryAdd(entries[i].Backend!, backends.Count);
        }

        int field = writer.Begin(StickyTag);
        writer.Text(pool.Name);
        writer.Long((long)table.Seeds.First);
        writer.Long((long)table.Seeds.Second);
        writer.Int(backends.Count);
        foreach (BackendState backend in backends.Keys)
        {
            writer.Text(backend.Name);
            writer.Text(backend.Address);
        }

        writer.Int(entries.Count - first);
        for (int i = first; i < entries.Count; i++)
        {
            writer.Long((long)entries[i].Hash.High);
            writer.Long((long)entries[i].Hash.Low);
            writer.Address(entries[i].Client);
            writer.Int(backends[entries[i].Backend!]);
            writer.Long(entries[i].Since.Ticks);
        }

        writer.End(field);
    }

    // What has not grown is left out, unless there is more to say.
    private static void WriteNamed(
        FieldWriter writer, ushort tag, CounterSheet sheet, Action<FieldWriter> names, Action<FieldWriter>? more = null, bool isWhole = false)
    {
        if (sheet.IsEmpty && (more is null || !isWhole))
        {
            return;
        }

        int field = writer.Begin(tag);
        names(writer);
        Write(writer, sheet);
        more?.Invoke(writer);
        writer.End(field);
    }

    private static void Write(FieldWriter writer, CounterSheet sheet)
    {
        KeyValuePair<string, long>[] values = [.. sheet.Values.OrderBy(static v => v.Key, StringComparer.Ordinal)];
        writer.Int(values.Length);
        foreach ((string name, long value) in values)
        {
            writer.Text(name);
            writer.Long(value);
        }
    }

    private CounterSheet Grown(object counting, Action<CounterSheet> write)
    {
        var now = new CounterSheet();
        write(now);
        CounterSheet grown = now.Since(_before.GetValueOrDefault(counting));
        _before[counting] = now;
        return grown;
    }
}
