using L4Balancer.Control;
using L4Balancer.Core.Config;
using L4Balancer.Core.Fleet;
using L4Balancer.Core.Routing;
using L4Balancer.Etcd;
using L4Balancer.Stores;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Fleet;

/// <summary>
/// This balancer as one of a fleet: reads and follows what the others publish and what operators want, holds its own membership, publishes its views, and
/// shares what was set here. While etcd is away everything goes on as it is. Any thread may call.
/// </summary>
internal sealed class FleetService : IOverrideSharing, IAsyncDisposable
{
    /// <summary>How long the answer to an operator waits for etcd, and the end of the daemon too.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <summary>How often all is read again.</summary>
    private static readonly TimeSpan BetweenReadings = TimeSpan.FromSeconds(30);

    /// <summary>How often it is looked at what this balancer says, beside what reports a change.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(1);

    /// <summary>The pause after a watch that has ended, and the longest one after several that ended within it.</summary>
    private static readonly (TimeSpan First, TimeSpan Longest) BeforeWatch = (TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(2));

    private readonly EtcdClient _client;
    private readonly FleetKeys _keys;
    private readonly FleetView _view;
    private readonly FleetState _state;
    private readonly FleetMembership _membership;
    private readonly IntentWriter _writer;
    private readonly TimeSpan _lease;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _work = new(0, 1);
    private CancellationTokenSource _stop = new();
    private CancellationTokenSource _reread = new();
    private TaskCompletionSource _shared = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile DesiredState? _desired;
    private Task _running = Task.CompletedTask;
    private bool _isLetGo;

    /// <param name="settings">Of <c>[fleet]</c>, with the id filled in.</param>
    /// <param name="self">Who this process is.</param>
    public FleetService(
        FleetSettings settings, FleetMember self, Func<FleetMember, FleetView> view, BalancerControl control, TimeProvider clock, ILogger log)
    {
        _lease = settings.Lease;
        _clock = clock;
        _log = log;
        _shared.SetResult();
        _keys = new FleetKeys(settings.Name);

        // Each member of the cluster is asked within a third of the lease, so that a member that hangs does not cost the membership.
        TimeSpan timeout = TimeSpan.FromTicks(Math.Clamp((settings.Lease / 4).Ticks, TimeSpan.FromMilliseconds(500).Ticks, TimeSpan.FromSeconds(3).Ticks));
        var access = new StoreAccess
        {
            TokenFile = settings.TokenFile,
            CaFile = settings.CaFile,
            CertFile = settings.CertFile,
            KeyFile = settings.KeyFile,
            User = settings.User,
            PasswordFile = settings.PasswordFile,
        };
        _client = new EtcdClient(settings.Etcd, access, new StoreHttpOptions { Timeout = timeout, ConnectTimeout = timeout }, clock);
        _state = new FleetState(settings, _keys, self, control, clock, log);
        _view = view(self);
        _membership = new FleetMembership(_client, _keys, _state, self, settings.Lease, settings.Name, clock, log);
        _writer = new IntentWriter(_client, _keys, _state, clock);
        Id = self.Id;
    }

    public string Id { get; }

    public FleetStatus Status => _state.Status;

    public void Start()
    {
        CancellationToken stop = _stop.Token;
        _running = Task.WhenAll(GuardAsync(FollowAsync, stop), GuardAsync(WorkAsync, stop));
    }

    /// <summary>
    /// Goes on as the member that another process was: with its instance and lease, so that its key never leaves the store. To be called before
    /// <see cref="Start"/>.
    /// </summary>
    public void GoOnAs(CarriedMembership before)
    {
        _view.GoOnAs(before.Instance);
        _state.GoOnAs(before);
        _membership.GoOnAs(before);
    }

    /// <summary>
    /// Ends all work, and leaves lease and key as they are, for another process. That has to renew the lease before it ends: within two thirds of
    /// <c>[fleet] lease</c>. <see cref="DisposeAsync"/> leaves them alone too.
    /// </summary>
    public async Task<CarriedMembership> LetGoAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _isLetGo = true;
        return _membership.Carried(_state.Status.Members);
    }

    /// <summary>The other process does not go on with it: this one does.</summary>
    public void TakeBack()
    {
        lock (_gate)
        {
            _stop.Dispose();
            _stop = new CancellationTokenSource();
            _isLetGo = false;
        }

        Start();
    }

    /// <summary>Something that this balancer publishes may have changed.</summary>
    public void Changed()
    {
        lock (_gate)
        {
            if (!_stop.IsCancellationRequested && _work.CurrentCount == 0)
            {
                _work.Release();
            }
        }
    }

    public void Follow(DesiredState desired)
    {
        DesiredState? before = _desired;
        _desired = desired;
        if (before?.Overrides != desired.Overrides)
        {
            lock (_gate)
            {
                if (!IntentWriter.HasPending(desired))
                {
                    _shared.TrySetResult();
                }
                else if (_shared.Task.IsCompleted)
                {
                    _shared = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                }
            }
        }

        Changed();
    }

    public async Task SharedAsync()
    {
        Task shared;
        lock (_gate)
        {
            shared = _shared.Task;
        }

        if (Status.IsConnected)
        {
            await shared.WaitAsync(Patience, _clock).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        if (!_isLetGo)
        {
            await LeaveAsync();
        }

        _client.Dispose();
        lock (_gate)
        {
            _work.Dispose();
            _reread.Dispose();
        }

        _stop.Dispose();
    }

    private async Task LeaveAsync()
    {
        using var late = new CancellationTokenSource(Patience, _clock);
        try
        {
            await _membership.LeaveAsync(late.Token);
        }
        catch (OperationCanceledException)
        {
            // The lease ends by itself.
        }
    }

    private async Task GuardAsync(Func<CancellationToken, Task> loop, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await Task.Run(() => loop(stop), CancellationToken.None);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                _log.FleetFailed(e);
                await Task.Delay(Patience, _clock, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task FollowAsync(CancellationToken stop)
    {
        TimeSpan pause = BeforeWatch.First;
        while (true)
        {
            _state.BeginRead();
            StoreResult<EtcdListing> listing = await _client.ListAsync(_keys.Prefix, stop);
            _state.Read(listing.Value, listing.Fault ?? "");
            Changed();
            if (!listing.IsOk)
            {
                await Task.Delay(Pause, _clock, stop);
                continue;
            }

            CancellationToken reread = NewReading();
            using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, reread);
            try
            {
                long started = _clock.GetTimestamp();
                EtcdWatchEnd end = await _client.WatchAsync(_keys.Prefix, listing.Value.Revision + 1, BetweenReadings, Take, either.Token);
                bool isShort = !end.InTime && _clock.GetElapsedTime(started) < BeforeWatch.Longest;
                pause = !isShort ? BeforeWatch.First : pause + pause < BeforeWatch.Longest ? pause + pause : BeforeWatch.Longest;
                if (!end.InTime)
                {
                    await Task.Delay(pause * (0.5 + Random.Shared.NextDouble()), _clock, stop);
                }
            }
            catch (OperationCanceledException) when (!stop.IsCancellationRequested)
            {
                // All is to be read again.
            }
        }

        void Take(EtcdChanges changes)
        {
            if (!_state.Take(changes))
            {
                ReadAgain();
            }

            Changed();
        }
    }

    // Membership first, then views, then what was set here: a store that answers slowly must not cost the membership.
    private async Task WorkAsync(CancellationToken stop)
    {
        long renewed = 0;
        int asked = _client.Preferred;
        while (true)
        {
            string fault = "";
            if (renewed == 0 || _clock.GetElapsedTime(renewed) >= RenewEvery)
            {
                fault = await _membership.RenewAsync(_view.Current(), stop);
                renewed = fault.Length == 0 && _membership.IsJoined ? _clock.GetTimestamp() : 0;
            }

            fault = fault.Length > 0 ? fault : await _membership.PublishAsync(_view.Current(), stop);
            if (fault.Length == 0 && _state.Status.IsConnected && _desired is { } desired)
            {
                fault = await _writer.WriteAsync(desired, stop);
            }

            if ((_state.Renewed(fault) || _client.Preferred != asked) && fault.Length == 0)
            {
                // The watch may hang at a member that stands still or was cut off: it does not end by itself.
                asked = _client.Preferred;
                ReadAgain();
            }

            if (fault.Length > 0 || !_membership.IsJoined)
            {
                renewed = 0;
                await Task.Delay(Pause, _clock, stop);
            }
            else
            {
                TimeSpan wait = _membership.UntilNextView is var soon && soon > TimeSpan.Zero ? soon : RenewEvery < LongestWait ? RenewEvery : LongestWait;
                await _work.WaitAsync(wait, stop);
            }
        }
    }

    private TimeSpan RenewEvery => _lease / 3;

    // Short against the lease, and never the same on two balancers.
    private TimeSpan Pause => TimeSpan.FromMilliseconds(Math.Clamp(_lease.TotalMilliseconds / 10, 200, 1000) * (0.5 + Random.Shared.NextDouble()));

    private void ReadAgain()
    {
        lock (_gate)
        {
            _reread.Cancel();
        }
    }

    private CancellationToken NewReading()
    {
        lock (_gate)
        {
            if (_reread.IsCancellationRequested)
            {
                _reread.Dispose();
                _reread = new CancellationTokenSource();
            }

            return _reread.Token;
        }
    }
}
