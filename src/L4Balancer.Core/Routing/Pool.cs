using System.Collections.Immutable;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Ports;

namespace L4Balancer.Core.Routing;

/// <summary>
/// One pool in one snapshot: rings that change only with membership and weights, and beside them the living sets, which its one
/// writer replaces as health changes. Any thread may pick.
/// </summary>
public sealed class Pool
{
    /// <summary>No backend can take the connection.</summary>
    public const int None = Ring.None;

    private readonly RingMember[] _primaryMembers;
    private readonly RingMember[] _backupMembers;
    private readonly Ring _primary;
    private readonly Ring _backup;
    private readonly bool[] _down;
    private volatile BackendMode[] _modes;
    private volatile LivingSet _livingPrimary;
    private volatile LivingSet _livingBackup;

    /// <param name="modes">By the backends' index; what is missing is ready.</param>
    public Pool(PoolSettings settings, ImmutableArray<Backend> backends, SourceRotation sources, params ReadOnlySpan<BackendMode> modes)
    {
        Settings = settings;
        Backends = backends;
        Sources = sources;
        _down = new bool[backends.Length];
        _modes = new BackendMode[backends.Length];
        modes.CopyTo(_modes);
        _primaryMembers = Members(backup: false);
        _backupMembers = Members(backup: true);
        _primary = Ring.Build(_primaryMembers);
        _backup = Ring.Build(_backupMembers);
        (_livingPrimary, _livingBackup) = Living();
    }

    public PoolSettings Settings { get; }

    public ImmutableArray<Backend> Backends { get; }

    public SourceRotation Sources { get; }

    public string Name => Settings.Name;

    /// <summary>Whether its probes fail, whatever an operator set.</summary>
    public bool IsDown(int backend) => Volatile.Read(ref _down[backend]);

    /// <summary>Whether new connections may go there: it is healthy, ready, and has weight.</summary>
    public bool Takes(int backend) => StateOf(backend) == BackendState.Up && Backends[backend].Weight > 0;

    public BackendState StateOf(int backend) => _modes[backend] switch
    {
        BackendMode.Maintenance => BackendState.Maintenance,
        BackendMode.Draining => BackendState.Draining,
        _ => IsDown(backend) ? BackendState.Down : BackendState.Up,
    };

    /// <summary>Where a connection goes. Backup backends serve only while no other backend lives. Allocates nothing.</summary>
    /// <param name="tried">Backends that this connection has failed at.</param>
    /// <returns>An index into <see cref="Backends"/>, or <see cref="None"/>.</returns>
    public int Pick(in FourTuple tuple, ReadOnlySpan<ushort> tried)
    {
        LivingSet primary = _livingPrimary;
        return primary.Count > 0
            ? _primary.Pick(tuple, Settings.HashKey, primary, tried)
            : _backup.Pick(tuple, Settings.HashKey, _livingBackup, tried);
    }

    /// <summary>Takes backends out of the picks, or back in. Only the one writer of the snapshot calls this.</summary>
    public void SetDown(IReadOnlyDictionary<int, bool> changes)
    {
        foreach ((int backend, bool down) in changes)
        {
            Volatile.Write(ref _down[backend], down);
        }

        (_livingPrimary, _livingBackup) = Living();
    }

    /// <summary>What an operator wants of a backend from now on. Only the one writer of the snapshot calls this.</summary>
    public void SetMode(int backend, BackendMode mode)
    {
        var modes = (BackendMode[])_modes.Clone();
        modes[backend] = mode;
        _modes = modes;
        (_livingPrimary, _livingBackup) = Living();
    }

    private (LivingSet Primary, LivingSet Backup) Living()
    {
        var excluded = new bool[_down.Length];
        for (int i = 0; i < excluded.Length; i++)
        {
            excluded[i] = _down[i] || _modes[i] != BackendMode.Ready;
        }

        return (LivingSet.Without(_primaryMembers, excluded), LivingSet.Without(_backupMembers, excluded));
    }

    // In the order that living sets are made from.
    private RingMember[] Members(bool backup) => RingMember.InAddressOrder(
    [
        .. Backends.Where(b => b.Settings.Backup == backup)
            .Select(b => new RingMember(b.Index, b.Settings.Address, b.Weight)),
    ]);
}
