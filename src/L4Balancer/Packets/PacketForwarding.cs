using System.Collections.Immutable;
using L4Balancer.Control;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Engine;
using L4Balancer.Engine.Packets;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Packets;

/// <summary>
/// The packet listeners of one daemon, over its life: started with it, taken over from a process before and left to a process after, removed by a stop
/// in good order. Any thread; one call after the other.
/// </summary>
/// <param name="start">Attaches, or takes over what is there (<see cref="PacketPlane.Start"/>).</param>
/// <param name="remove">Removes what a process before has left, if there is nothing to take over for (<see cref="PacketPlane.Remove"/>).</param>
/// <param name="hasPredecessor">Whether a process before has left something: then a start that fails leaves it too, for the next one.</param>
internal sealed class PacketForwarding(
    Func<ImmutableArray<PacketListener>, IPacketPlane> start, Func<string?> remove, bool hasPredecessor, TimeProvider clock, ILogger log)
    : IPacketForwarding, IDisposable
{
    /// <summary>Counters are read again after this time: a scrape and the status page ask for them several times at once.</summary>
    private static readonly TimeSpan Fresh = TimeSpan.FromMilliseconds(200);

    private readonly Lock _turn = new();
    private IPacketPlane? _plane;
    private bool _isAnothers;
    private bool _isOfAnotherDaemon;
    private bool _mayHaveRemains = hasPredecessor;
    private bool _isServing;
    private PacketReading _reading = PacketReading.Empty;
    private long _readAt;
    private PacketTotals _totals = PacketTotals.Empty;
    private (PacketReading? Reading, RoutingSnapshot? Snapshot) _totalsOf;

    /// <summary>Of a daemon: what is attached is pinned in its folder.</summary>
    /// <param name="path">The file of the configuration; null if it was not read from a file.</param>
    public static PacketForwarding Of(BalancerConfig config, string? path, TimeProvider clock, ILoggerFactory loggers)
    {
        string folder = PacketFolder.For(config, path, Environment.IsPrivilegedProcess, Environment.GetEnvironmentVariable);
        return new PacketForwarding(
            listeners => OperatingSystem.IsLinux()
                ? new KernelPlane(PacketPlane.Start(new PacketPlaneOptions { Folder = folder, Loggers = loggers }, listeners))
                : throw new PacketFaultException("needs Linux; leave it out"),
            () => OperatingSystem.IsLinux() && Directory.Exists(folder) ? PacketPlane.Remove(folder) : null,
            Directory.Exists(folder), clock, loggers.CreateLogger<PacketForwarding>());
    }

    /// <summary>At the start of a daemon, before its control plane exists.</summary>
    /// <param name="isOfAnotherDaemon">Another daemon has the same folder and goes on: what it has attached is left alone.</param>
    /// <returns>Why it cannot; empty if all packet listeners are in force.</returns>
    public IReadOnlyList<ListenFailure> Start(RoutingSnapshot first, bool isOfAnotherDaemon = false)
    {
        lock (_turn)
        {
            _isOfAnotherDaemon = isOfAnotherDaemon;
            IReadOnlyList<ListenFailure> failures = Configure(first);
            if (_plane is null && failures.Count == 0 && !isOfAnotherDaemon)
            {
                string? fault = remove();
                _mayHaveRemains = fault is not null;
                if (fault is not null)
                {
                    log.PacketsLeft(fault);
                }
            }

            return failures;
        }
    }

    public IReadOnlyList<ListenFailure> Configure(RoutingSnapshot next)
    {
        lock (_turn)
        {
            ImmutableArray<PacketListener> listeners = PacketListeners.Of(next);
            if (_isAnothers || (_plane is null && listeners.IsEmpty))
            {
                return [];
            }

            if (_isOfAnotherDaemon)
            {
                return
                [
                    new ListenFailure(
                        listeners[0].Name, default,
                        "mode = \"packet\": another daemon has the same `socket` in [admin], by which what is attached is found; stop it, or change `socket`"),
                ];
            }

            try
            {
                HashSet<string> before = [.. Reading().Listeners.Select(static l => l.Listener)];
                if (listeners.IsEmpty)
                {
                    End();
                    return [];
                }

                if (_plane is null)
                {
                    _plane = start(listeners);
                }
                else
                {
                    _plane.Configure(listeners);
                }

                _readAt = 0;
                Report(next, before);
                return [];
            }
            catch (PacketFaultException e)
            {
                if (_plane is null && !_mayHaveRemains)
                {
                    // Of several interfaces some may be attached to.
                    _ = remove();
                }

                return [new ListenFailure(listeners[0].Name, default, $"mode = \"packet\": {e.Message}")];
            }
        }
    }

    public string? Publish(Listener listener)
    {
        lock (_turn)
        {
            try
            {
                _plane?.Publish(listener.Name, PacketListeners.ChoiceOf(listener));
                return null;
            }
            catch (PacketFaultException e)
            {
                return e.Message;
            }
        }
    }

    /// <summary>The daemon serves: its end without <see cref="Stop"/> is no failed start.</summary>
    public void Serve()
    {
        lock (_turn)
        {
            _isServing = true;
        }
    }

    /// <summary>What has been counted, at most a fifth of a second ago.</summary>
    /// <param name="now">The snapshot in force.</param>
    public PacketTotals Totals(RoutingSnapshot now)
    {
        lock (_turn)
        {
            PacketReading reading = Reading();
            if (reading != _totalsOf.Reading || now != _totalsOf.Snapshot)
            {
                _totalsOf = (reading, now);
                _totals = PacketTotals.Of(now, reading);
            }

            return _totals;
        }
    }

    /// <summary>Another process goes on with everything.</summary>
    public void Leave()
    {
        lock (_turn)
        {
            _plane?.Leave();
            _plane = null;
            _isAnothers = true;
            _mayHaveRemains = true;
        }
    }

    /// <summary>The other process has failed: this one goes on.</summary>
    public void TakeBack(RoutingSnapshot now)
    {
        lock (_turn)
        {
            if (!_isAnothers)
            {
                return;
            }

            _isAnothers = false;
        }

        foreach (ListenFailure failure in Configure(now))
        {
            log.PacketsNotTakenBack(failure.Message);
        }
    }

    /// <summary>Removes everything, at a stop in good order. Nothing happens if another process has it.</summary>
    public void Stop()
    {
        lock (_turn)
        {
            if (_plane is not null)
            {
                End();
                _isAnothers = true;
            }
        }
    }

    /// <summary>Without <see cref="Stop"/> everything stays for the next process, unless this one has attached it and never served.</summary>
    public void Dispose()
    {
        if (!_isServing && !_mayHaveRemains)
        {
            Stop();
        }

        Leave();
    }

    private void End()
    {
        _plane!.Stop();
        _plane = null;
        _mayHaveRemains = false;
        _reading = PacketReading.Empty;
        log.PacketsEnd();
    }

    private PacketReading Reading()
    {
        if (_plane is not null && (_readAt == 0 || clock.GetElapsedTime(_readAt) > Fresh))
        {
            _reading = _plane.Read();
            _readAt = clock.GetTimestamp();
        }

        return _reading;
    }

    private void Report(RoutingSnapshot now, HashSet<string> before)
    {
        Dictionary<string, string> attachments = Reading().Listeners.ToDictionary(static l => l.Listener, static l => l.Attachment);
        foreach (Listener listener in now.Listeners.Where(l => l.IsPacket && !before.Contains(l.Name)))
        {
            log.PacketsAreSentOn(
                listener.Name, string.Join(", ", PortSpan.Compact(listener.Settings.Bind)), attachments.GetValueOrDefault(listener.Name, ""));
        }

        // What a source of backends says is not checked against the listeners.
        foreach (Listener listener in now.Listeners.Where(static l => l.IsPacket))
        {
            foreach (Backend backend in listener.Pool.Backends.Where(b => b.IsResolved && listener.Settings.Bind.Any(e => e.Port != b.Endpoint.Port)))
            {
                log.PortIsAnother(backend.State.Pool, backend.Name, backend.Endpoint.Port, listener.Name);
            }
        }
    }
}
