using L4Balancer.Core.Accounting;
using L4Balancer.Core.Pacing;
using L4Balancer.Core.Ports;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Connections;

/// <summary>
/// How one connection looks for a backend: as the pool says, without those that it has tried, until one takes it; and what it holds of
/// the backend that it was sent to. One thread; allocates nothing.
/// </summary>
internal struct BackendWalk
{
    /// <summary>How long a connection waits for its turn (<c>new_connection_rate</c>) where connect_timeout sets no bound.</summary>
    private static readonly TimeSpan LongestQueue = TimeSpan.FromSeconds(3);

    private Backend? _backend;
    private TriedBackends _tried;
    private BackendPlace _place;
    private Instant _queueUntil;
    private CloseReason _lastFailure;
    private bool _blamed;
    private bool _hasTrialed;

    /// <summary>Where it was sent last; null before that.</summary>
    public readonly Backend? Backend => _backend;

    /// <summary>Its trial of the backend that it was sent to last; 0 where it is an ordinary connection.</summary>
    public readonly int Trial => _place.Trial;

    /// <summary>The last shortage or failure that it met.</summary>
    public readonly CloseReason LastFailure => _lastFailure;

    /// <summary>Lets go of the backend before, and sends the connection to the next one.</summary>
    /// <param name="turn">When it may connect there: now, or later where <c>new_connection_rate</c> spaces connections out.</param>
    /// <returns>False where nobody is left.</returns>
    public bool TryNext(ref ConnectionRecord record, Pool pool, Instant now, out Instant turn)
    {
        TimeSpan between = Pace.Between(pool.Settings.NewConnectionRate);
        Instant until = between > TimeSpan.Zero ? QueueUntil(pool, now) : now;
        while (true)
        {
            _place.LetGo();
            turn = now;
            int trial = 0;
            int index = _tried.IsFull ? Pool.None : pool.Take(record.Tuple, _tried.Span, mayTry: !_hasTrialed, out trial);
            if (index == Pool.None)
            {
                return false;
            }

            Backend backend = pool.Backends[index];
            if (between > TimeSpan.Zero && SourceWalk.CountIfRefused(backend.Sources, now))
            {
                // Nobody takes a turn there for a connect that would not be asked for.
                NoteShortage(CloseReason.SourcePortsExhausted);
                _tried.Add(index);
            }
            else if (!backend.Cell.TryReserve(now, between, until, out turn))
            {
                _tried.AddFull(index);
            }
            else
            {
                _backend = backend;
                record.Backend = backend.Cell;
                _place = BackendPlace.Take(backend.Cell, trial);
                _hasTrialed |= trial != 0;
                return true;
            }

            BackendPlace.ReturnTrial(backend.Cell, trial);
        }
    }

    /// <summary>What keeps the connection from a backend for good; none where one of them may answer in a moment.</summary>
    public readonly CloseReason WhyNone(Pool pool)
    {
        if (_tried.AreFull)
        {
            return pool.HasLiving ? CloseReason.Limit : CloseReason.NoBackend;
        }

        // Every living backend was asked. One that refused may come back; a lack of ports of ours does not pass so soon.
        return _blamed ? CloseReason.None : _lastFailure;
    }

    /// <summary>A trial that has failed is one more where others serve: whoever looks after a dead backend for them is not refused for it.</summary>
    public readonly int AttemptsIn(Pool pool) => pool.Settings.ConnectAttempts + (_hasTrialed && pool.HasLiving ? 1 : 0);

    /// <summary>Goes on in the pool of another snapshot.</summary>
    public void Follow(Pool before, Pool now) => _tried.Follow(before, now);

    /// <summary>The same backend that it was sent to last, as another snapshot has it.</summary>
    public void Follow(Backend backend) => _backend = backend;

    /// <summary>This backend is not asked again.</summary>
    public void Skip(int backend) => _tried.Add(backend);

    /// <summary>Our own: nobody is blamed. A lack of ports is the last word.</summary>
    public void NoteShortage(CloseReason shortage) =>
        _lastFailure = _lastFailure == CloseReason.SourcePortsExhausted ? _lastFailure : shortage;

    /// <summary>A connect is asked for: whoever waits for a turn after it waits anew.</summary>
    public void NoteConnecting() => _queueUntil = default;

    /// <summary>The backend answered; it is let go.</summary>
    public ConnectNews NoteConnected()
    {
        ConnectNews news = _place.NoteConnected();
        _place.LetGo();
        return news;
    }

    /// <summary>The connect came to nothing, by the backend, by the network, or by a policy of this host.</summary>
    /// <param name="most">Of the pool: see <see cref="BackendPlace.NoteFailed"/>.</param>
    public ConnectNews NoteFailed(ConnectFailure failure, int most)
    {
        bool blamed = failure != ConnectFailure.NotPermitted;
        _lastFailure = failure == ConnectFailure.TimedOut ? CloseReason.ConnectTimeout : CloseReason.ConnectFailed;
        _blamed |= blamed;
        Backend backend = _backend!;
        _tried.Add(backend.Index);
        backend.Cell.ConnectFailures.Count(_lastFailure);
        return blamed ? _place.NoteFailed(FaultOf(failure), most) : ConnectNews.None;
    }

    /// <summary>The backend that it was sent to last is not waited for any more.</summary>
    public void LetGo() => _place.LetGo();

    /// <summary>After a pause, all may be asked once more.</summary>
    public void BeginAgain()
    {
        _tried.Clear();
        _blamed = false;
        _queueUntil = default;
    }

    private static string FaultOf(ConnectFailure failure) => failure switch
    {
        ConnectFailure.TimedOut => "no answer in time",
        ConnectFailure.Unreachable => "unreachable",
        _ => "connection refused",
    };

    // Whoever waits for a backend that goes away waits for the next one only so long as he would have waited there.
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
