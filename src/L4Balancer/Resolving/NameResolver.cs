using System.Collections.Immutable;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Routing;

namespace L4Balancer.Resolving;

/// <summary>
/// Looks host names up, again and again, and keeps what they last stood for. A look-up blocks (getaddrinfo(3)) for as long as name servers
/// take: it has threads of its own, so that slow ones keep neither health checks nor connections waiting. Any thread may call.
/// </summary>
internal sealed class NameResolver : IDisposable
{
    /// <summary>From one look-up of a name to the next.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(30);

    /// <summary>Look-ups at once. Those of a name server that does not answer take ten seconds and more each.</summary>
    internal const int MostAtOnce = 16;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Name> _names = [];
    private readonly Queue<string> _due = new();
    private readonly Func<string, LookUp> _lookUp;
    private readonly Action _changed;
    private readonly Action<ThreadStart> _start;
    private readonly ITimer _timer;
    private int _threads;
    private bool _disposed;

    /// <param name="lookUp">Blocks; must not throw.</param>
    /// <param name="changed">Something in <see cref="Answers"/> is different now. Comes on a thread of the resolver's.</param>
    /// <param name="start">Starts a thread; null: one of the system's.</param>
    public NameResolver(Func<string, LookUp> lookUp, TimeProvider clock, Action changed, Action<ThreadStart>? start = null)
    {
        _start = start ?? StartInBackground;
        _lookUp = lookUp;
        _changed = changed;
        _timer = clock.CreateTimer(_ => Again(), null, Interval, Interval);
    }

    /// <summary>What is known of each name that is followed, those without an answer yet left out.</summary>
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

    /// <summary>Looks these up now, the known ones again too, and goes on with them. None is given up by this.</summary>
    /// <returns>Done when each of them that was not known has had its first look-up.</returns>
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

    /// <summary>Only these from now on, and all of them; what was known of others is forgotten.</summary>
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

    /// <summary>No look-up begins any more; one that is under way comes to nothing.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            _due.Clear();
        }

        _timer.Dispose();
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

    // One look-up of a name at a time: a name server that hangs must not collect them.
    private void Enqueue(string host, Name name)
    {
        if (_disposed || (name.IsDue && _threads > 0))
        {
            return;
        }

        if (!name.IsDue)
        {
            name.IsDue = true;
            _due.Enqueue(host);
        }

        if (_threads < MostAtOnce)
        {
            StartThread();
        }
    }

    // Where the host gives no thread, those that run look everything up; where there is none, the next round tries again.
    private void StartThread()
    {
        try
        {
            _start(LookUpAll);
            _threads++;
        }
        catch (Exception e) when (e is OutOfMemoryException or ThreadStartException)
        {
            // What is due stays so.
        }
    }

    private static void StartInBackground(ThreadStart work) => new Thread(work) { Name = "l4b-resolve", IsBackground = true }.Start();

    private void LookUpAll()
    {
        while (TryNext(out string host))
        {
            LookUp found = _lookUp(host);
            if (Take(host, found))
            {
                _changed();
            }
        }
    }

    private bool TryNext(out string host)
    {
        lock (_gate)
        {
            if (_due.TryDequeue(out host!))
            {
                return true;
            }

            _threads--;
            return false;
        }
    }

    private bool Take(string host, LookUp found)
    {
        lock (_gate)
        {
            if (_disposed || !_names.TryGetValue(host, out Name? name))
            {
                return false;
            }

            name.IsDue = false;
            NameAnswer? before = name.Answer;
            ImmutableArray<HostAddress> addresses = found.Fault.Length == 0 ? found.Addresses : before?.Addresses ?? [];
            name.Answer = new NameAnswer(addresses, found.Fault);
            name.First.TrySetResult();
            return before is null || before.Fault != found.Fault || !before.Addresses.ToHashSet().SetEquals(addresses);
        }
    }

    private sealed class Name
    {
        public NameAnswer? Answer { get; set; }

        /// <summary>It waits for its look-up, or that is under way.</summary>
        public bool IsDue { get; set; }

        public TaskCompletionSource First { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
