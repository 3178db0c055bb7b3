using L4Balancer.Core.Accounting;
using L4Balancer.Core.Balancing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Pacing;
using L4Balancer.Core.Ports;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Sticky;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Connections;

/// <summary>
/// The search of one connection for a backend: the pool picks, backends already tried are excluded, until one accepts the connection. Holds
/// the place at the backend picked last. One thread; allocates nothing.
/// </summary>
internal struct BackendWalk
{
    /// <summary>The longest time in the queue of <c>new_connection_rate</c> where connect_timeout sets no bound.</summary>
    private static readonly TimeSpan LongestQueue = TimeSpan.FromSeconds(3);

    /// <summary>How often a pick is repeated because another connection of the same key was faster.</summary>
    private const int MostRounds = 4;

    private Backend? _backend;
    private TriedBackends _tried;
    private BackendReservation _reservation;
    private Instant _queueUntil;
    private CloseReason _lastFailure;
    private bool _blamed;
    private bool _hasTrialed;

    /// <summary>The backend picked last; null before the first pick.</summary>
    public readonly Backend? Backend => _backend;

    /// <summary>The id of its trial at the backend picked last; 0 for an ordinary connection.</summary>
    public readonly int Trial => _reservation.Trial;

    /// <summary>The reason of the last shortage or failed connect.</summary>
    public readonly CloseReason LastFailure => _lastFailure;

    /// <summary>Releases the place at the previous backend and picks the next one.</summary>
    /// <param name="named">The bytes of its key if that has named fields; null: the tuple alone makes its key.</param>
    /// <param name="turn">When it may connect there: now, or later where <c>new_connection_rate</c> spaces connections out.</param>
    /// <returns>False if no backend is left.</returns>
    public bool TryNext(ref ConnectionRecord record, Pool pool, byte[]? named, Instant now, out Instant turn)
    {
        pool.State.NoteTime(now);
        TimeSpan between = RateLimiter.Between(pool.Settings.NewConnectionRate);
        Instant until = between > TimeSpan.Zero ? QueueUntil(pool, now) : now;
        while (true)
        {
            _reservation.LetGo();
            turn = now;
            int trial = 0;
            int index = _tried.IsFull ? Pool.None : Pick(ref record, pool, named, now, out trial);
            if (index == Pool.None)
            {
                return false;
            }

            Backend backend = pool.Backends[index];
            if (between > TimeSpan.Zero && !pool.Settings.Transparent && SourceWalk.CountIfRefused(backend.Sources, now))
            {
                // Do not use up a slot of the rate for a connect that would not be made.
                NoteShortage(CloseReason.SourcePortsExhausted);
                _tried.Add(index);
            }
            else if (!backend.State.TryReserve(now, between, until, out turn))
            {
                _tried.AddFull(index);
            }
            else
            {
                _backend = backend;
                record.Backend = backend.State;
                _reservation = BackendReservation.Take(backend.State, trial);
                _hasTrialed |= trial != 0;
                return true;
            }

            BackendReservation.ReturnTrial(backend.State, trial);
        }
    }

    /// <summary>The reason why the connection cannot be served; none where a backend may accept it after a pause.</summary>
    /// <param name="limit">Set if the reason is a limit: the connection waited for a turn in vain, or every backend is full.</param>
    public readonly CloseReason WhyNone(Pool pool, out LimitKind limit)
    {
        limit = LimitKind.None;
        if (_tried.AreFull)
        {
            limit = !pool.HasAvailable ? LimitKind.None : _tried.IsEmpty ? LimitKind.Backends : LimitKind.Queue;
            return pool.HasAvailable ? CloseReason.Limit : CloseReason.NoBackend;
        }

        // Every available backend was tried. A backend that refused may recover soon; a shortage of local ports lasts longer.
        return _blamed ? CloseReason.None : _lastFailure;
    }

    /// <summary>
    /// A failed trial does not use up an attempt while other backends serve, so that a client whose connection served as a trial is not
    /// refused for it.
    /// </summary>
    public readonly int AttemptsIn(Pool pool) => pool.Settings.ConnectAttempts + (_hasTrialed && pool.HasAvailable ? 1 : 0);

    /// <summary>Continues in the same pool of another snapshot.</summary>
    public void Rebase(Pool before, Pool now) => _tried.Rebase(before, now);

    /// <summary>Replaces the backend picked last by the same backend of another snapshot.</summary>
    public void Rebase(Backend backend) => _backend = backend;

    /// <summary>Excludes this backend from further picks.</summary>
    public void Skip(int backend) => _tried.Add(backend);

    /// <summary>Notes a shortage of this host, which counts against no backend. A shortage of ports is kept over later ones.</summary>
    public void NoteShortage(CloseReason shortage) =>
        _lastFailure = _lastFailure == CloseReason.SourcePortsExhausted ? _lastFailure : shortage;

    /// <summary>A connect is made: a later wait for <c>new_connection_rate</c> gets a new deadline.</summary>
    public void NoteConnecting() => _queueUntil = default;

    /// <summary>The connect succeeded; releases the place.</summary>
    /// <param name="earlyClose">How long the connection has to last to count as a successful connect; zero: it does at once.</param>
    public PassiveHealthEvent NoteConnected(TimeSpan earlyClose, Instant now)
    {
        PassiveHealthEvent news = _reservation.NoteConnected(earlyClose, now);
        _reservation.LetGo();
        return news;
    }

    /// <summary>The connect failed, because of the backend, the network, or a policy of this host.</summary>
    /// <param name="most">From the pool's settings: see <see cref="BackendReservation.NoteFailed"/>.</param>
    public PassiveHealthEvent NoteFailed(ConnectFailure failure, int most)
    {
        bool blamed = failure is not (ConnectFailure.NotPermitted or ConnectFailure.NotObserved or ConnectFailure.QueueFull);
        _lastFailure = failure is ConnectFailure.TimedOut or ConnectFailure.NotObserved or ConnectFailure.QueueFull
            ? CloseReason.ConnectTimeout : CloseReason.ConnectFailed;
        _blamed |= failure != ConnectFailure.NotPermitted;
        Backend backend = _backend!;
        _tried.Add(backend.Index);
        backend.State.ConnectFailures.Count(_lastFailure);
        return blamed ? _reservation.NoteFailed(FaultOf(failure), most) : PassiveHealthEvent.None;
    }

    /// <summary>Releases the place at the backend picked last.</summary>
    public void LetGo() => _reservation.LetGo();

    /// <summary>After a pause, all backends may be tried again.</summary>
    public void BeginAgain()
    {
        _tried.Clear();
        _blamed = false;
        _queueUntil = default;
    }

    // An entry of the pool's table decides, else the balance; the entry then says what was picked. If another connection of the same key has
    // written it meanwhile, that one is followed.
    private readonly int Pick(ref ConnectionRecord record, Pool pool, byte[]? named, Instant now, out int trial)
    {
        Span<byte> buffer = stackalloc byte[TupleHash.MaxLength];
        scoped RouteKey key = named is null ? pool.Key.OfTuple(record.Tuple, buffer) : new RouteKey(named);
        if (pool.Sticky is not { } table)
        {
            return pool.Take(key, _tried.Span, mayTry: !_hasTrialed, out trial);
        }

        StickySettings settings = pool.Settings.Sticky;
        StickyKeyHash hash = table.HashOf(key);
        for (int rounds = 0; ; rounds++)
        {
            trial = 0;
            BackendState? seen = table.Find(hash, settings.Ttl, now, out int hint);
            int index = seen is null ? Pool.None : pool.Follow(seen, hint, _tried.Span);
            if (index == Pool.None)
            {
                index = pool.Take(key, _tried.Span, mayTry: !_hasTrialed, out trial);
            }

            if (index == Pool.None || rounds == MostRounds
                || table.TryHold(hash, record.Tuple.Source.Address, pool.Backends[index].State, index, seen, settings, now, ref record.Sticky))
            {
                return index;
            }

            BackendReservation.ReturnTrial(pool.Backends[index].State, trial);
        }
    }

    private static string FaultOf(ConnectFailure failure) => failure switch
    {
        ConnectFailure.TimedOut => "no answer in time",
        ConnectFailure.Unreachable => "unreachable",
        _ => "connection refused",
    };

    // The queueing deadline is shared by all backends that the connection waits for.
    private Instant QueueUntil(Pool pool, Instant now)
    {
        if (_queueUntil.Ticks == 0)
        {
            TimeSpan timeout = pool.Settings.ConnectTimeout;
            _queueUntil = now + (timeout > TimeSpan.Zero ? timeout : LongestQueue);
        }

        return _queueUntil;
    }
}
