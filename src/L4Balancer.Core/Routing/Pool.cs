using System.Collections.Immutable;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Inspection;
using L4Balancer.Core.Ports;
using L4Balancer.Core.Sticky;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Routing;

/// <summary>
/// One pool in one snapshot: rings that change only with membership and weights, and the available sets, which the one writer replaces as
/// health changes. Any thread may pick.
/// </summary>
public sealed class Pool
{
    /// <summary>No backend can take the connection.</summary>
    public const int None = HashPicker.None;

    private readonly RingMember[] _primaryMembers;
    private readonly RingMember[] _backupMembers;
    private readonly IPicker _primaryPicker;
    private readonly IPicker _backupPicker;
    private readonly BackendState[] _states;
    private readonly ulong[] _ramps;
    private readonly bool[] _unresolved;
    private readonly bool _isUnlimited;
    private readonly byte[] _health; // HealthState; any thread reads it.
    private volatile BackendMode[] _modes;
    private volatile Candidates _primary;
    private volatile Candidates _backup;
    private volatile bool _hasLiving;
    private volatile bool _takesAny;
    private volatile int _revision;

    /// <param name="modes">By backend index; a missing one is ready.</param>
    public Pool(
        PoolSettings settings, PoolState state, ImmutableArray<Backend> backends, SourceRotation sources,
        params ReadOnlySpan<BackendMode> modes)
    {
        Settings = settings;
        State = state;
        Backends = backends;
        Sources = sources;
        Key = Pickers.KeyOf(settings);
        _states = [.. backends.Select(b => b.State)];
        _ramps = new ulong[backends.Length];
        Array.Fill(_ramps, ulong.MaxValue);
        _unresolved = [.. backends.Select(b => !b.IsResolved)];
        _health = new byte[backends.Length];
        _modes = new BackendMode[backends.Length];
        modes.CopyTo(_modes);
        _isUnlimited = BoundedLoad == 0 && settings.SlowStart == TimeSpan.Zero && settings.Backends.All(b => b.MaxConnections == 0);
        HasPublicUrls = backends.Any(b => b.Settings.PublicUrl.Length > 0);
        string[] placements = Placement.Of([.. backends.Select(b => (b.Name, b.Settings.Address))]);
        _primaryMembers = Members(placements, backup: false);
        _backupMembers = Members(placements, backup: true);
        _primaryPicker = Pickers.For(settings, _primaryMembers, _states, state);
        _backupPicker = Pickers.For(settings, _backupMembers, _states, state);
        (_primary, _backup) = BuildCandidates();
    }

    public PoolSettings Settings { get; }

    public PoolState State { get; }

    public ImmutableArray<Backend> Backends { get; }

    public SourceRotation Sources { get; }

    /// <summary>Where connections of known keys went; null if the pool keeps no such table. Continues in the next snapshot.</summary>
    public StickyTable? Sticky { get; init; }

    public string Name => Settings.Name;

    /// <summary>What a connection is hashed by.</summary>
    public HashKey Key { get; }

    /// <summary>Whether the key of a connection decides where it goes.</summary>
    public bool UsesKey => Sticky is not null || IsHashed;

    private bool IsHashed => Settings.Balance is BalanceKind.Ring or BalanceKind.Maglev;

    /// <summary>The health by probes and connects, regardless of the operator's mode; down if its name resolves to no address.</summary>
    public HealthState HealthOf(int backend) => _unresolved[backend] ? HealthState.Down : (HealthState)Volatile.Read(ref _health[backend]);

    /// <summary>Whether connects to it fail, regardless of the operator's mode.</summary>
    public bool IsDown(int backend) => HealthOf(backend) is HealthState.Down or HealthState.HalfOpen;

    /// <summary>Whether a connection that picked this backend a moment ago and was queued may still go there.</summary>
    /// <param name="trial">The connection's trial of that backend; 0: none.</param>
    public bool StillTakes(int backend, int trial) =>
        _primary.StillTakes(backend, trial) || _backup.StillTakes(backend, trial);

    /// <summary>Whether no operator has taken it out, whatever its health.</summary>
    public bool IsReady(int backend) => _modes[backend] == BackendMode.Ready;

    /// <summary>Whether new connections may go there: it is healthy, ready, and has weight.</summary>
    public bool Takes(int backend) => StatusOf(backend) == BackendStatus.Up && Backends[backend].Weight > 0;

    public BackendStatus StatusOf(int backend) => _modes[backend] switch
    {
        BackendMode.Maintenance => BackendStatus.Maintenance,
        BackendMode.Draining => BackendStatus.Draining,
        _ => HealthOf(backend) switch
        {
            HealthState.Up => BackendStatus.Up,
            HealthState.Degraded => BackendStatus.Degraded,
            HealthState.Checking => BackendStatus.Checking,
            _ => BackendStatus.Down,
        },
    };

    /// <summary>
    /// Picks the backend for a connection. Backups serve only while no primary is available, and backends that are being checked only
    /// while neither primaries nor backups are available. Allocates nothing.
    /// </summary>
    /// <param name="key">Made by <see cref="Key"/>.</param>
    /// <param name="tried">The backends that this connection has tried.</param>
    /// <returns>An index into <see cref="Backends"/>, or <see cref="None"/>.</returns>
    public int Pick(RouteKey key, ReadOnlySpan<ushort> tried)
    {
        Candidates primary = _primary;
        int picked = primary.Pick(key, tried);
        return picked != None || primary.Serves ? picked : _backup.Pick(key, tried);
    }

    /// <summary>As <see cref="Pick(RouteKey, ReadOnlySpan{ushort})"/>, for a connection of which only the tuple is known.</summary>
    public int Pick(in FourTuple tuple, ReadOnlySpan<ushort> tried) => Pick(Key.OfTuple(tuple, stackalloc byte[TupleHash.MaxLength]), tried);

    /// <summary>
    /// As <see cref="Pick(RouteKey, ReadOnlySpan{ushort})"/>, for a connection that goes there. A connection that gets the trial of a backend that is down must report the
    /// result.
    /// </summary>
    /// <param name="mayTry">Whether this connection may take a trial.</param>
    /// <param name="trial">The id in the backend's <see cref="ConnectHealth"/>; 0 for an ordinary connection.</param>
    public int Take(RouteKey key, ReadOnlySpan<ushort> tried, bool mayTry, out int trial)
    {
        Candidates primary = _primary;
        int picked = primary.Take(key, tried, mayTry, out trial);
        return picked != None || primary.Serves ? picked : _backup.Take(key, tried, mayTry, out trial);
    }

    /// <summary>
    /// Where an entry of <see cref="Sticky"/> sends a connection: to its backend, if that takes new connections. Bounded load and slow start
    /// distribute connections that have not been anywhere yet, so they do not count here; a rebalance does.
    /// </summary>
    /// <param name="hint">Its index in this or an earlier snapshot.</param>
    /// <returns>An index into <see cref="Backends"/>, or <see cref="None"/>.</returns>
    internal int Follow(BackendState backend, int hint, ReadOnlySpan<ushort> tried)
    {
        int index = (uint)hint < (uint)_states.Length && _states[hint] == backend ? hint : IndexOf(backend);
        Candidates primary = _primary;
        return index != None && !tried.Contains((ushort)index) && (primary.Serves ? primary : _backup).TakesMore(index) ? index : None;
    }

    /// <summary>The backend that an entry of <see cref="Sticky"/> would send a connection to, or <see cref="None"/>; changes nothing.</summary>
    public int FollowedBy(RouteKey key, Instant now) =>
        Sticky is { } table && table.Find(table.HashOf(key), Settings.Sticky.Ttl, now, out int hint) is { } backend
            ? Follow(backend, hint, []) : None;

    /// <summary>
    /// The backend to which the key's hash belongs while every backend is available and none is full: the rings do not depend on health,
    /// modes and limits. Only for balances by hash. Takes time in proportion to the number of backends.
    /// </summary>
    /// <returns>An index into <see cref="Backends"/>, or <see cref="None"/> if no backend has weight.</returns>
    public int OwnerOf(RouteKey key)
    {
        (IPicker picker, RingMember[] members) =
            _primaryMembers.Length > 0 ? (_primaryPicker, _primaryMembers) : (_backupPicker, _backupMembers);
        return picker.Pick(key, AvailableSet.Without(members, new bool[_states.Length]), [], null);
    }

    /// <summary>
    /// What <see cref="Pick(RouteKey, ReadOnlySpan{ushort})"/> chooses at this moment, as plain numbers for another program: for a connection that takes
    /// no trial, while no backend is full and the pool is not being rebalanced. Only of a pool with <c>maglev</c>, and without backups.
    /// </summary>
    public FlatTable Flatten()
    {
        Candidates primary = _primary;
        ulong[] ramps = new ulong[_ramps.Length];
        for (int i = 0; i < ramps.Length; i++)
        {
            ramps[i] = Volatile.Read(ref _ramps[i]);
        }

        bool isRamping = Settings.SlowStart > TimeSpan.Zero && ramps.Any(static r => r != ulong.MaxValue);
        return new FlatTable(_primaryPicker as Maglev ?? Maglev.Build([]), primary.Serving, isRamping ? [.. ramps] : []);
    }

    /// <summary>
    /// A hash over the tables that <c>balance</c> uses, or over the members and weights where it uses none: equal on two balancers if both choose the
    /// same backend for every key. Does not depend on the order of the backends in the file, on health, modes and limits. Takes time in proportion to
    /// the size of the tables.
    /// </summary>
    public ulong HashOfTables() => Mix.Of(
        TableHash.Of(_primaryPicker, _primaryMembers) + Mix.Of(TableHash.Of(_backupPicker, _backupMembers) ^ (ulong)Settings.Balance));

    /// <summary>
    /// Whether a connection of this tuple would now go to another backend than this one if no backend were full. True only if a client's
    /// next connection has the same key as its last: never if the pool does not hash, or if the source port is part of the key. Nor for named
    /// fields, whose values are not kept.
    /// </summary>
    public bool HasMoved(in FourTuple tuple, BackendState from)
    {
        if (!IsHashed || !Key.IsTuple || Settings.HashKey.HasFlag(TupleFields.SourcePort))
        {
            return false;
        }

        Candidates candidates = _primary.Serves ? _primary : _backup;
        int home = candidates.Home(Key.OfTuple(tuple, stackalloc byte[TupleHash.MaxLength]));
        return home != None && _states[home] != from;
    }

    /// <summary>Whether this pool can serve for these values too. Health and ramps are not compared: they stay as they are in it.</summary>
    /// <param name="modes">By backend index.</param>
    internal bool IsBuiltOf(PoolSettings settings, PoolState state, ImmutableArray<Backend> backends, ReadOnlySpan<BackendMode> modes)
    {
        if (State != state || Backends.Length != backends.Length || !modes.SequenceEqual(_modes) || !Settings.HasSameValues(settings))
        {
            return false;
        }

        for (int i = 0; i < backends.Length; i++)
        {
            if (!Backends[i].HasSameValues(backends[i]))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The index of a backend by its state, which lives on from snapshot to snapshot; or <see cref="None"/>.</summary>
    internal int IndexOf(BackendState state) => Array.IndexOf(_states, state);

    /// <summary>Whether any backend serves: if a pick finds none nevertheless, all are full or were tried.</summary>
    public bool HasAvailable => _primary.Serves || _backup.Serves;

    /// <summary>
    /// As <see cref="HasAvailable"/>, without backends that serve only because no other does: those that are being checked, of which nothing is
    /// known yet.
    /// </summary>
    public bool HasLiving => _hasLiving;

    /// <summary>
    /// Whether any backend takes connections, if only one as a trial: without connections it could not prove that it is back. Not one that is
    /// being checked, which its probe decides on.
    /// </summary>
    public bool TakesAny => _takesAny;

    /// <summary>Another number after every change of health, mode or ramp: what <see cref="Flatten"/> has given before may be out of date then.</summary>
    public int Revision => _revision;

    /// <summary>Takes backends out of the picks, or back in. Only the one writer of the snapshot calls this.</summary>
    public void SetHealth(IReadOnlyDictionary<int, HealthState> changes)
    {
        foreach ((int backend, HealthState health) in changes)
        {
            Volatile.Write(ref _health[backend], (byte)health);
        }

        (_primary, _backup) = BuildCandidates();
        _revision++;
    }

    /// <summary>
    /// Slow start: the backend gets only a share of the connections that would go to it, selected by their hash, so that the ring does not
    /// change. Only the one writer of the snapshot calls this.
    /// </summary>
    /// <param name="share">0 to 1; 1 is the normal state.</param>
    public void SetRamp(int backend, double share)
    {
        ulong ramp = share >= 1 ? ulong.MaxValue : (ulong)(Math.Max(share, 0) * ulong.MaxValue);
        if (ramp != _ramps[backend])
        {
            Volatile.Write(ref _ramps[backend], ramp);
            _revision++;
        }
    }

    /// <summary>The share that <see cref="SetRamp"/> has set, 0 to 1.</summary>
    public double RampOf(int backend) => Volatile.Read(ref _ramps[backend]) / (double)ulong.MaxValue;

    /// <summary>
    /// Whether clients can be handed an endpoint of this pool: at least one backend has a <c>public_url</c>.
    /// </summary>
    public bool HasPublicUrls { get; }

    /// <summary>Sets the operator's mode of a backend. Only the one writer of the snapshot calls this.</summary>
    public void SetMode(int backend, BackendMode mode)
    {
        var modes = (BackendMode[])_modes.Clone();
        modes[backend] = mode;
        _modes = modes;
        (_primary, _backup) = BuildCandidates();
        _revision++;
    }

    private (Candidates Primary, Candidates Backup) BuildCandidates()
    {
        (Candidates primary, Candidates backup) = BuildCandidates(withChecking: false);
        _hasLiving = primary.Serves || backup.Serves;
        _takesAny = primary.TakesAny || backup.TakesAny;
        return _hasLiving || !_health.Contains((byte)HealthState.Checking)
            ? (primary, backup) : BuildCandidates(withChecking: true);
    }

    // If no probe has decided on any backend that could serve, a connection to one of them is better than none.
    private (Candidates Primary, Candidates Backup) BuildCandidates(bool withChecking)
    {
        bool panic = IsPanic();
        var excluded = new bool[_health.Length];
        bool[]? halfOpen = null;
        bool[]? joining = null;
        for (int i = 0; i < excluded.Length; i++)
        {
            HealthState health = HealthOf(i);
            if (health == HealthState.HalfOpen && !panic)
            {
                halfOpen ??= new bool[_health.Length];
                halfOpen[i] = true;
            }

            if (health == HealthState.Checking && !withChecking)
            {
                joining ??= new bool[_health.Length];
                joining[i] = true;
            }

            bool isOut = health == HealthState.Checking ? !withChecking : health is HealthState.Down or HealthState.Degraded && !panic;
            excluded[i] = _unresolved[i] || isOut || _modes[i] != BackendMode.Ready;
        }

        return (
            BuildHalf(_primaryPicker, _primaryMembers, excluded, halfOpen, joining),
            BuildHalf(_backupPicker, _backupMembers, excluded, halfOpen, joining));
    }

    private Candidates BuildHalf(IPicker picker, RingMember[] members, bool[] excluded, bool[]? halfOpen, bool[]? joining)
    {
        AvailableSet available = AvailableSet.Without(members, excluded, joining);
        AvailableSet serving = halfOpen is null ? available : AvailableSet.Without(members, [.. excluded.Zip(halfOpen, (e, t) => e || t)], joining);
        int trials = available.Count - serving.Count;
        var admission = new PoolAdmission(Backends, _states, State, halfOpen, _ramps, BoundedLoad, Math.Max(1, serving.Weight));
        return new Candidates(
            picker, available, admission, _states, trials, _isUnlimited,
            trials == 0 ? null : new Candidates(picker, serving, admission, _states, halfOpen: 0, _isUnlimited));
    }

    // If almost no backend of a pool is healthy, all connections would go to the few that are left; then the probes are ignored. Backends
    // that are being checked count on neither side: adding many at once is no reason to ignore health.
    private bool IsPanic()
    {
        if (Settings.PanicThreshold == 0)
        {
            return false;
        }

        int ready = 0;
        int healthy = 0;
        foreach (Backend backend in Backends)
        {
            bool counts = !backend.Settings.Backup && backend.Weight > 0 && _modes[backend.Index] == BackendMode.Ready
                && HealthOf(backend.Index) != HealthState.Checking;
            ready += counts ? 1 : 0;
            healthy += counts && HealthOf(backend.Index) == HealthState.Up ? 1 : 0;
        }

        return ready > 0 && healthy < Settings.PanicThreshold * ready;
    }

    private double BoundedLoad => IsHashed ? Settings.BoundedLoad : 0;

    // The order in which available sets are built.
    private RingMember[] Members(string[] placements, bool backup) => RingMember.InAddressOrder(
    [
        .. Backends.Where(b => b.Settings.Backup == backup)
            .Select(b => new RingMember(b.Index, placements[b.Index], b.Weight)),
    ]);
}
