using System.Collections.Immutable;
using System.Runtime.Versioning;
using System.Text;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Linux;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Engine.Packets;

/// <summary>
/// The packet tier of one daemon: programs in the kernel that send the packets of its packet listeners on, and what they are told. The kernel goes on
/// by itself with what it was told last, through a crash and an upgrade: everything is pinned in a directory, where the next process finds it.
/// Every method by any thread; none waits for the network.
/// </summary>
[SupportedOSPlatform("linux")]
public sealed class PacketPlane : IDisposable
{
    private readonly Lock _gate = new();
    private readonly PacketPlaneOptions _options;
    private readonly ILogger _logger;
    private readonly NeighbourWatch _watch;
    private readonly SortedDictionary<string, PacketInterface> _interfaces = new(StringComparer.Ordinal);
    private Dictionary<string, long> _flows = [];
    private long _flowsCounted = long.MinValue;
    private bool _hasEnded;

    private PacketPlane(PacketPlaneOptions options)
    {
        _options = options;
        _logger = options.Loggers.CreateLogger<PacketPlane>();
        _watch = NeighbourWatch.Create(_gate, options, _logger);
        _watch.Found = (index, address, mac) => Each(index, i => i.NeighbourFound(address, mac));
        _watch.Missed = (index, address) => Each(index, i => _logger.NeighbourMissing(address, i.Name));
        _watch.RoutesChanged = () => Each(null, i => i.RoutesChanged());
        _watch.InterfaceChanged = InterfaceChanged;
        _watch.LookDue = () => Each(null, i => i.Look());
    }

    /// <summary>
    /// Loads and attaches, or takes over what a process before has left in the folder: flows, counters and the numbers of backends go on, and no packet is
    /// lost in between. Listeners of that process that are not among these are removed. A process that was there before must have called
    /// <see cref="Leave"/> first.
    /// </summary>
    /// <exception cref="PacketFaultException">A right, a file system or a feature of the kernel is missing, or an interface.</exception>
    public static PacketPlane Start(PacketPlaneOptions options, ImmutableArray<PacketListener> listeners)
    {
        ArgumentNullException.ThrowIfNull(options);
        IReadOnlyList<string> missing = WhyNot(options.Folder);
        if (missing.Count > 0)
        {
            throw new PacketFaultException(string.Join("; ", missing));
        }

        if (PrivateFolder.Prepare(options.Folder) is { } fault)
        {
            throw new PacketFaultException($"the directory of the packet tier cannot be used: {fault}");
        }

        var plane = new PacketPlane(options);
        try
        {
            plane.Configure(listeners);
        }
        catch
        {
            plane.Dispose();
            throw;
        }

        plane._watch.Start();
        return plane;
    }

    /// <summary>
    /// Why packets cannot be forwarded here, with the mend, as far as it can be said without attaching: rights, version of the kernel, file system of BPF.
    /// Empty: nothing speaks against it.
    /// </summary>
    public static IReadOnlyList<string> WhyNot(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        return KernelNeeds.Missing(folder);
    }

    /// <summary>
    /// Detaches and removes what a process has left in the folder and no process needs any more: of a daemon that died, and whose configuration
    /// has no packet listeners now. Nothing happens if there is nothing.
    /// </summary>
    /// <returns>Null, or what could not be removed, as text for a log.</returns>
    public static string? Remove(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        return PacketRemains.RemoveAll(folder);
    }

    /// <summary>
    /// Replaces the listeners, as a reload does: those with a name that is there already keep their flows and counters. If it fails for one interface,
    /// that one goes on with what was in force.
    /// </summary>
    /// <exception cref="PacketFaultException">As of <see cref="Start"/>.</exception>
    public void Configure(ImmutableArray<PacketListener> listeners)
    {
        Check(listeners);
        lock (_gate)
        {
            if (_hasEnded)
            {
                return;
            }

            ILookup<string, PacketListener> wanted = listeners.ToLookup(l => l.Interface);
            foreach (IGrouping<string, PacketListener> group in wanted)
            {
                if (_interfaces.TryGetValue(group.Key, out PacketInterface? known))
                {
                    known.Configure([.. group]);
                }
                else
                {
                    _interfaces.Add(group.Key, PacketInterface.Start(_options, _logger, _watch, group.Key, [.. group]));
                }
            }

            foreach (PacketInterface gone in _interfaces.Values.Where(i => !wanted.Contains(i.Name)).ToArray())
            {
                _interfaces.Remove(gone.Name);
                gone.Stop();
            }

            foreach (PinFolder left in PinFolder.In(_options.Folder).Where(f => !wanted.Contains(f.Interface)))
            {
                _ = PacketRemains.Remove(left, _watch.Requests, _logger);
            }

            _flowsCounted = long.MinValue;
            ForgetNeighbours();
        }
    }

    /// <summary>
    /// Replaces the choice of a listener as a whole, as after a change of health, weight or mode: each packet sees the old table or the new one. A listener
    /// that is not there is ignored.
    /// </summary>
    /// <exception cref="PacketFaultException">The kernel has no memory for it; the old choice holds.</exception>
    public void Publish(string listener, PacketChoice choice)
    {
        ArgumentNullException.ThrowIfNull(choice);
        lock (_gate)
        {
            // After the end there are none.
            foreach (PacketInterface one in _interfaces.Values)
            {
                if (one.Served.FirstOrDefault(s => s.Listener.Name == listener) is { } served)
                {
                    PacketListener changed = served.Listener with { Choice = choice };
                    Check([changed]);
                    one.Publish(changed);
                    ForgetNeighbours();
                    return;
                }
            }
        }
    }

    /// <summary>
    /// Reads all counters. Counting the flows walks through all of them (about 100 ns for each), and is therefore done at most every 10 seconds.
    /// </summary>
    public PacketReading Read()
    {
        lock (_gate)
        {
            if (_hasEnded)
            {
                return PacketReading.Empty;
            }

            CountFlows();
            return new PacketReading(
                [.. _interfaces.Values.SelectMany(i => i.Served.Select(s =>
                    new PacketListenerReading(s.Listener.Name, i.Attachment, _flows.GetValueOrDefault(s.Listener.Name))))],
                [.. _interfaces.Values.SelectMany(i => i.ReadBackends())],
                [.. Enum.GetValues<PacketDrop>().Select(d => new PacketDropReading(TextOf(d), _interfaces.Values.Sum(i => i.DropsOf(d))))]);
        }
    }

    /// <summary>
    /// Ends the part of this process and leaves everything in the kernel as it is, for the process that takes over; after it every other method does
    /// nothing. If the other process fails, this one takes over by a new <see cref="Start"/>.
    /// </summary>
    public void Leave() => End(i => i.Dispose());

    /// <summary>Detaches and removes everything, as a stop in good order does. Packets go to the kernel's own network stack from then on.</summary>
    public void Stop()
    {
        if (End(i => i.Stop()))
        {
            _ = PacketRemains.RemoveFolder(_options.Folder);
        }
    }

    /// <summary>As <see cref="Leave"/>, unless it has ended already.</summary>
    public void Dispose() => Leave();

    /// <summary>As in the label of the metric: words of lower case with hyphens.</summary>
    internal static string TextOf(PacketDrop reason)
    {
        var text = new StringBuilder();
        foreach (char c in reason.ToString())
        {
            text.Append(char.IsUpper(c) && text.Length > 0 ? "-" : "").Append(char.ToLowerInvariant(c));
        }

        return text.ToString();
    }

    private static void Check(ImmutableArray<PacketListener> listeners)
    {
        foreach (PacketListener listener in listeners)
        {
            if (listener.Choice.Targets.FirstOrDefault(t => Encoding.UTF8.GetByteCount(t.Identity) > PacketTarget.LongestIdentity) is { } target)
            {
                throw new PacketFaultException(
                    $"listener {listener.Name}: the name of backend {target.Identity} is longer than {PacketTarget.LongestIdentity} bytes");
            }
        }
    }

    private bool End(Action<PacketInterface> how)
    {
        lock (_gate)
        {
            if (_hasEnded)
            {
                return false;
            }

            _hasEnded = true;
            foreach (PacketInterface one in _interfaces.Values)
            {
                how(one);
            }

            _interfaces.Clear();
        }

        _watch.Dispose();
        return true;
    }

    private void InterfaceChanged(InterfaceFacts facts, bool isThere)
    {
        if (!_interfaces.TryGetValue(facts.Name, out PacketInterface? known))
        {
            return;
        }

        if (isThere)
        {
            known.Changed(facts);
        }
        else if (known.Index == facts.Index)
        {
            known.Gone();
        }
    }

    private void Each(int? index, Action<PacketInterface> what)
    {
        foreach (PacketInterface one in _interfaces.Values)
        {
            if (index is null || one.Index == index)
            {
                what(one);
            }
        }
    }

    private void ForgetNeighbours() => _watch.KeepOnly(_interfaces.Values.SelectMany(i => i.Wanted()).ToHashSet());

    private void CountFlows()
    {
        long now = Environment.TickCount64;
        if (_flowsCounted == long.MinValue || now - _flowsCounted >= _options.FlowCountAge.TotalMilliseconds)
        {
            _flowsCounted = now;
            _flows = new Dictionary<string, long>(_interfaces.Values.SelectMany(i => i.CountFlows()));
        }
    }
}
