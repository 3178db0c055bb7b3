using System.Collections.Immutable;
using System.Runtime.Versioning;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Linux;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Engine.Packets;

/// <summary>The packet listeners of one interface: their maps, the program, and where it is attached. Under the lock of the plane.</summary>
/// <remarks>
/// One file, because packets pass while it writes: backends, tables and virtual addresses are written in an order that every change has to keep.
/// </remarks>
[SupportedOSPlatform("linux")]
internal sealed class PacketInterface : IDisposable
{
    private readonly PacketPlaneOptions _options;
    private readonly ILogger _logger;
    private readonly NeighbourWatch _watch;
    private readonly PinFolder _folder;
    private readonly SortedDictionary<string, ServedListener> _served = new(StringComparer.Ordinal);
    private BackendWays _ways = null!;
    private PreviousTables _tables = null!;
    private InterfaceFacts _facts;
    private MapSet _set = null!;
    private readonly InterfaceProgram _program;
    private bool _isGone;

    private PacketInterface(PacketPlaneOptions options, ILogger logger, NeighbourWatch watch, in InterfaceFacts facts)
    {
        _options = options;
        _logger = logger;
        _watch = watch;
        _facts = facts;
        _folder = new PinFolder(options.Folder, facts.Name);
        _program = new InterfaceProgram(options, logger, watch.Requests, _folder, () => _set.Maps);
    }

    public string Name => _facts.Name;

    public int Index => _facts.Index;

    /// <summary>As text for people; empty: the program is not attached.</summary>
    public string Attachment => _program.ToString();

    public IEnumerable<ServedListener> Served => _served.Values;

    private NetlinkSocket Netlink => _watch.Requests;

    /// <summary>Serves these listeners, with what a process before has left.</summary>
    /// <exception cref="PacketFaultException">It cannot; nothing is left behind that was not there before.</exception>
    public static PacketInterface Start(
        PacketPlaneOptions options, ILogger logger, NeighbourWatch watch, string name, ImmutableArray<PacketListener> listeners)
    {
        Errno error = InterfaceFacts.Read(watch.Requests, name, out InterfaceFacts facts);
        if (error != Errno.None || facts.Mac == 0)
        {
            throw new PacketFaultException(error != Errno.None
                ? $"interface {name}: {error}: there is no such interface"
                : $"interface {name}: it has no Ethernet address; packet listeners need an Ethernet interface");
        }

        var started = new PacketInterface(options, logger, watch, facts);
        started._folder.Prepare();
        bool isFirst = started._folder.FindMaps() is null;
        bool done = false;
        try
        {
            started.OpenMaps(listeners);
            started._ways = new BackendWays(watch) { Maps = started._set.Maps, Facts = facts };
            started._tables = new PreviousTables(options.Clock) { Maps = started._set.Maps };
            started.Apply(listeners);
            started._program.Attach(facts);
            started._set.PutInForce(started._folder);
            done = true;
            return started;
        }
        finally
        {
            if (!done)
            {
                started.Abandon(isFirst);
            }
        }
    }

    /// <summary>As a reload does.</summary>
    public void Configure(ImmutableArray<PacketListener> listeners)
    {
        if (PacketRoom.Suffices(_set.Limits, listeners))
        {
            Apply(listeners);
        }
        else
        {
            Rebuild(listeners);
        }

        if (!_program.IsAttached && !_isGone)
        {
            _program.Attach(_facts);
        }
    }

    public void Publish(PacketListener listener)
    {
        ServedListener served = _served[listener.Name];
        ImmutableArray<PacketListener> all = [.. _served.Values.Select(s => s == served ? listener : s.Listener)];
        if (PacketRoom.Suffices(_set.Limits, all))
        {
            served.Listener = listener;
            WriteChoice(served);
            Settle();
        }
        else
        {
            Rebuild(all);
        }
    }

    /// <summary>The MAC address of a neighbour was found, or has changed.</summary>
    public void NeighbourFound(HostAddress address, ulong mac)
    {
        if (_ways.NeighbourFound(address))
        {
            _logger.NeighbourFound(address, Name, InterfaceFacts.TextOf(mac));
        }
    }

    /// <summary>A route has come or gone.</summary>
    public void RoutesChanged() => _ways.RoutesChanged();

    /// <summary>The interface has another MAC address, or is another one with the same name.</summary>
    public void Changed(in InterfaceFacts facts)
    {
        bool isOther = _isGone || facts.Index != _facts.Index;
        if (!isOther && (facts.Mac == _facts.Mac || facts.Mac == 0))
        {
            return;
        }

        _facts = facts with { Mac = facts.Mac == 0 ? _facts.Mac : facts.Mac };
        _ways.Facts = _facts;
        _ways.Renew();

        if (isOther)
        {
            _isGone = false;
            _program.Forget();
            _program.AttachIfNot(_facts);
        }
    }

    /// <summary>There is no such interface any more; one of this name may come back.</summary>
    public void Gone()
    {
        if (!_isGone)
        {
            _isGone = true;
            _program.Forget();
            _logger.PacketInterfaceGone(Name);
        }
    }

    /// <summary>Finds what no notice has told: that the interface has changed, or that the program is not attached.</summary>
    public void Look()
    {
        Errno error = InterfaceFacts.Read(Netlink, Name, out InterfaceFacts facts);
        if (error == Errno.ENODEV)
        {
            Gone();
        }

        if (error != Errno.None)
        {
            return;
        }

        Changed(facts);
        _program.Look();
        _program.AttachIfNot(_facts);
    }

    /// <summary>Counts the flows of each listener, by its binds.</summary>
    public IReadOnlyDictionary<string, long> CountFlows() => FlowCounts.Of(_set.Maps, _served.Values.Select(s => s.Listener));

    public IEnumerable<PacketBackendReading> ReadBackends()
    {
        foreach (ServedListener served in _served.Values)
        {
            foreach ((int i, PacketTarget target) in served.Listener.Choice.Targets.Index())
            {
                (long packets, long bytes) = _set.Maps.CountOf(served.Numbers[i]);
                ulong mac = _ways.MacOf(served.Numbers[i]);
                yield return new PacketBackendReading(
                    served.Listener.Name, target.Identity, target.Address, packets, bytes, mac == 0 ? null : InterfaceFacts.TextOf(mac));
            }
        }
    }

    public long DropsOf(PacketDrop reason) => _set.Maps.DropsOf(reason);

    /// <summary>What is followed for this interface.</summary>
    public IEnumerable<(int Interface, HostAddress Address)> Wanted() => _ways.Wanted();

    /// <summary>Detaches and removes everything.</summary>
    public void Stop()
    {
        _program.Dispose();
        _set.Dispose();
        _ = PacketRemains.Remove(_folder, Netlink, _logger);
    }

    /// <summary>Everything stays in the kernel.</summary>
    public void Dispose()
    {
        _program.Dispose();
        _set?.Dispose();
    }

    private void OpenMaps(ImmutableArray<PacketListener> listeners)
    {
        MapSet? before = MapSet.TryOpen(_folder);
        if (before is not null && PacketRoom.Suffices(before.Limits, listeners))
        {
            _set = before;
            return;
        }

        if (before is null && File.Exists(_folder.Link))
        {
            _logger.PacketFlowsForgotten(Name);
        }

        using (before)
        {
            _set = MapSet.Create(_folder, PacketRoom.For(listeners, before?.Limits), before);
        }
    }

    // Larger maps, or smaller ones, in the place of these.
    private void Rebuild(ImmutableArray<PacketListener> listeners)
    {
        MapSet before = _set;
        ImmutableArray<PacketListener> served = [.. _served.Values.Select(s => s.Listener)];
        _set = MapSet.Create(_folder, PacketRoom.For(listeners, before.Limits), before);
        UseMaps();
        try
        {
            Apply(listeners);
            Errno error = _program.Replace();
            if (error != Errno.None)
            {
                throw new PacketFaultException($"interface {Name}: the program cannot be replaced ({error})");
            }
        }
        catch (PacketFaultException)
        {
            _set.Dispose();
            _set = before;
            UseMaps();
            _folder.DropNew();
            Apply(served);
            throw;
        }

        before.CopyNewFlowsTo(_set.Maps);
        before.Dispose();
        _set.PutInForce(_folder);
    }

    private void UseMaps()
    {
        _ways.Maps = _set.Maps;
        _tables.Maps = _set.Maps;
    }

    private void Apply(ImmutableArray<PacketListener> listeners)
    {
        var there = _set.Maps.ReadServices().ToDictionary(s => s.Address, s => s.Pool);
        foreach (string name in _served.Keys.Except(listeners.Select(l => l.Name)).ToArray())
        {
            _served.Remove(name);
        }

        foreach (PacketListener listener in listeners)
        {
            if (_served.TryGetValue(listener.Name, out ServedListener? served))
            {
                served.Listener = listener;
            }
            else
            {
                served = new ServedListener(listener, PoolFor(listener, there));
                _served.Add(listener.Name, served);
            }

            WriteChoice(served);
        }

        foreach (ServedListener served in _served.Values)
        {
            ServiceFlags flags = (served.Listener.BySource ? ServiceFlags.SourceOnly : ServiceFlags.None)
                | (served.Listener.Flows > 0 ? ServiceFlags.Remembers : ServiceFlags.None)
                | (served.Listener.SecondChance ? ServiceFlags.SecondChance : ServiceFlags.None);
            foreach (Endpoint service in served.Services())
            {
                Check(_set.Maps.SetService(service, served.Pool, flags), "virtual address");
                there.Remove(service);
            }
        }

        foreach (Endpoint gone in there.Keys)
        {
            _ = _set.Maps.RemoveService(gone);
        }

        Settle();
    }

    // The number of the table that its addresses had before, so that packets see no other table meanwhile; otherwise one that is free.
    private int PoolFor(PacketListener listener, Dictionary<Endpoint, int> there)
    {
        HashSet<int> claimed = [.. _served.Values.Select(s => s.Pool)];
        foreach (Endpoint bind in listener.Binds)
        {
            if (there.TryGetValue(bind, out int pool) && !claimed.Contains(pool))
            {
                return pool;
            }
        }

        claimed.UnionWith(there.Values);
        int free = Enumerable.Range(0, _set.Limits.Pools).Except(claimed).DefaultIfEmpty(-1).First();
        free = free >= 0 ? free : Enumerable.Range(0, _set.Limits.Pools).Except(_served.Values.Select(s => s.Pool)).First();
        _tables.Forget(free);
        return free;
    }

    // Backends come before the table that names them, and those whose flows are given up after it.
    private void WriteChoice(ServedListener served)
    {
        PacketListener listener = served.Listener;
        PacketChoice choice = listener.Choice;
        HashSet<int> chosen = [.. choice.Table.Available.Select(a => (int)a.Member)];
        int[] numbers = new int[choice.Targets.Length];
        foreach ((int i, PacketTarget target) in choice.Targets.Index())
        {
            numbers[i] = _set.Numbers.Take(listener.Name, target, listener.Forward, out bool isNew);
            if (numbers[i] < 0)
            {
                throw new PacketFaultException($"listener {listener.Name}: there is no room for its {choice.Targets.Length} backends");
            }

            if (isNew)
            {
                _set.Maps.ClearCount(numbers[i]);
            }

            if (target.KeepsFlows || chosen.Contains(i))
            {
                Check(_ways.Follow(numbers[i], target.Address, listener.Forward, sends: true), "backend");
            }
        }

        byte[] table = _set.Limits.Table.Write(choice.Table.Owners, [.. choice.Table.Available], numbers, choice.Table.Ramps.AsSpan());
        Check(_tables.Replace(served.Pool, table), "table");
        served.Numbers = [.. numbers];
        foreach ((int i, PacketTarget target) in choice.Targets.Index())
        {
            if (!target.KeepsFlows && !chosen.Contains(i))
            {
                Check(_ways.Follow(numbers[i], target.Address, listener.Forward, sends: false), "backend");
            }
        }
    }

    // After a change of the backends: those that are no targets any more go on for their flows.
    private void Settle()
    {
        HashSet<int> used = [.. _served.Values.SelectMany(s => s.Numbers)];
        foreach (int freed in _set.Numbers.LeaveOthers(used, _options.Clock.GetUtcNow()))
        {
            _ways.Forget(freed);
        }

        foreach ((int number, HostAddress address, PacketForward forward) in _set.Numbers.LeftOnes())
        {
            if (!_ways.Has(number))
            {
                Check(_ways.Follow(number, address, forward, sends: true), "backend");
            }
        }
    }

    private void Abandon(bool isFirst)
    {
        Dispose();
        if (isFirst)
        {
            _ = PacketRemains.Remove(_folder, Netlink, null);
        }
    }

    private void Check(Errno error, string what)
    {
        if (error != Errno.None)
        {
            throw new PacketFaultException($"interface {Name}: the kernel does not take a {what} ({error}): {KernelNeeds.Mend(error)}");
        }
    }
}
