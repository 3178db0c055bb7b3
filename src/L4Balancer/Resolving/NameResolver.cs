using System.Collections.Immutable;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Resolving;

/// <summary>
/// Resolves host names periodically and keeps the latest addresses. A look-up blocks (getaddrinfo(3)) until name servers answer, so
/// look-ups have their own threads and slow ones delay neither health checks nor connections. Names whose last look-up timed out have a lane
/// of their own, so that a silent name server does not delay the names of the others. Any thread may call.
/// </summary>
internal sealed class NameResolver : IDisposable
{
    /// <summary>Time between two look-ups of a name.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long the last addresses of a name are kept after the answer that it does not exist: an address that is assigned to another host
    /// must not receive the connections of this name for ever. While no name server answers, they are kept for as long as that lasts.
    /// </summary>
    public static readonly TimeSpan HoldGone = TimeSpan.FromMinutes(5);

    /// <summary>
    /// Maximum number of simultaneous look-ups, without those that hang: with a name server that does not answer each takes ten seconds or
    /// more.
    /// </summary>
    internal const int MostAtOnce = 16;

    /// <summary>Maximum number of look-ups that hang and are replaced by others.</summary>
    internal const int MostHanging = 112;

    /// <summary>Maximum number of simultaneous look-ups of names whose last look-up timed out.</summary>
    internal const int MostSilent = 8;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Name> _names = [];
    private readonly LookUpLane _living;
    private readonly LookUpLane _silent;
    private readonly Action _changed;
    private readonly TimeProvider _clock;
    private readonly ITimer _timer;
    private bool _disposed;

    /// <param name="lookUp">Resolves a name. May block; must not throw.</param>
    /// <param name="changed">Called on a thread of the resolver when <see cref="Answers"/> has changed.</param>
    /// <param name="start">Starts a thread; null starts a background thread.</param>
    public NameResolver(Func<string, LookUp> lookUp, TimeProvider clock, Action changed, Action<ThreadStart>? start = null)
    {
        start ??= StartInBackground;
        _living = new LookUpLane(_gate, clock, lookUp, Found, start, MostAtOnce, MostHanging);
        _silent = new LookUpLane(_gate, clock, lookUp, Found, start, MostSilent, mostHanging: 0);
        _changed = changed;
        _clock = clock;
        _timer = clock.CreateTimer(_ => Again(), null, Interval, Interval);
    }

    /// <summary>The latest answer for each name, without names that have no answer yet.</summary>
    public IReadOnlyDictionary<string, NameAnswer> Answers
    {
        get
        {
            lock (_gate)
            {
                return _names.Where(n => n.Value.Answer is not null).ToDictionary(n => n.Key, n => n.Value.Answer!);
            }
        }
    }

    /// <summary>Resolves these names now, including known ones, and periodically from now on. Other names are kept.</summary>
    /// <returns>Completes when each name that was not known has had its first look-up.</returns>
    public Task AddAsync(IEnumerable<string> hosts)
    {
        List<Task> first = [];
        lock (_gate)
        {
            foreach (string host in hosts)
            {
                if (!_names.TryGetValue(host, out Name? name))
                {
                    _names.Add(host, name = new Name());
                }

                first.Add(name.First.Task);
                Enqueue(host, name);
            }
        }

        return Task.WhenAll(first);
    }

    /// <summary>Resolves exactly these names from now on; answers for other names are forgotten.</summary>
    public void Keep(IReadOnlySet<string> hosts)
    {
        lock (_gate)
        {
            foreach (string gone in _names.Keys.Where(n => !hosts.Contains(n)).ToArray())
            {
                _names.Remove(gone);
            }

            foreach (string host in hosts.Where(h => !_names.ContainsKey(h)))
            {
                var name = new Name();
                _names.Add(host, name);
                Enqueue(host, name);
            }
        }
    }

    /// <summary>Starts no more look-ups and ignores the results of those in progress.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            _living.Clear();
            _silent.Clear();
        }

        _timer.Dispose();
        _living.Dispose();
        _silent.Dispose();
    }

    private void Again()
    {
        lock (_gate)
        {
            foreach ((string host, Name name) in _names)
            {
                Enqueue(host, name);
            }
        }
    }

    // At most one look-up per name is in progress, so that they do not accumulate if a name server hangs. A new name counts as living until it
    // has timed out.
    private void Enqueue(string host, Name name)
    {
        if (_disposed)
        {
            return;
        }

        LookUpLane lane = name.IsSilent ? _silent : _living;
        if (!name.IsDue)
        {
            name.IsDue = true;
            lane.Add(host, first: name.Answer is { Fault.Length: 0 });
        }

        lane.Serve();
    }

    private static void StartInBackground(ThreadStart work) => new Thread(work) { Name = "l4b-resolve", IsBackground = true }.Start();

    private void Found(string host, LookUp found, bool timedOut)
    {
        if (Accept(host, found, timedOut))
        {
            _changed();
        }
    }

    private bool Accept(string host, LookUp found, bool timedOut)
    {
        lock (_gate)
        {
            if (_disposed || !_names.TryGetValue(host, out Name? name))
            {
                return false;
            }

            name.IsDue = false;
            name.IsSilent = timedOut;
            NameAnswer? before = name.Answer;
            ImmutableArray<HostAddress> addresses = found.Fault.Length == 0 ? found.Addresses : IsForgotten(name, found) ? [] : before?.Addresses ?? [];
            name.GoneSince = found.Fault.Length == 0 ? null : name.GoneSince;
            name.Answer = new NameAnswer(addresses, found.Fault);
            name.First.TrySetResult();
            return before is null || before.Fault != found.Fault || !before.Addresses.ToHashSet().SetEquals(addresses);
        }
    }

    // A failure of another kind in between proves nothing, and does not start the time anew.
    private bool IsForgotten(Name name, LookUp found)
    {
        if (!found.IsGone)
        {
            return false;
        }

        Instant now = Instant.Now(_clock);
        name.GoneSince ??= now;
        return now - name.GoneSince.Value >= HoldGone;
    }

    private sealed class Name
    {
        /// <summary>When the name was first found not to exist, after it last had addresses.</summary>
        public Instant? GoneSince { get; set; }

        public NameAnswer? Answer { get; set; }

        /// <summary>Whether a look-up is pending or in progress.</summary>
        public bool IsDue { get; set; }

        /// <summary>Whether the last look-up failed because no name server answered in time.</summary>
        public bool IsSilent { get; set; }

        public TaskCompletionSource First { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
