using L4Balancer.Core.Config;
using L4Balancer.Core.Discovery;
using L4Balancer.Stores;

namespace L4Balancer.Discovery.RedisSentinel;

/// <summary>
/// The master that Redis Sentinels watch, or its replicas ("Guidelines for Redis clients with support for Redis Sentinel"): the Sentinels are asked in
/// order, and one that does not answer, does not know the master, or has missed a failover, makes way for the next. After an event, and after
/// <c>interval</c>, everything is read again. The protocol is written here by hand (docs/decisions/0012-what-is-ours.md).
/// </summary>
internal sealed class SentinelSource(DiscoverySettings settings, TimeProvider clock) : IBackendSource
{
    /// <summary>Changes that come together, as those of a failover do, are read together.</summary>
    private static readonly TimeSpan Debounce = TimeSpan.FromMilliseconds(50);

    /// <summary>For one connection and what is asked on it.</summary>
    private static readonly TimeSpan AskingTime = TimeSpan.FromSeconds(3);

    private long _epoch = -1;

    /// <summary>Two thirds of it without a byte, and a Sentinel is taken for dead.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>For pauses.</summary>
    public Random Random { get; init; } = Random.Shared;

    public async Task WatchAsync(Action<SourceReading> report, CancellationToken stop)
    {
        var attempts = new Attempts(clock, Random);
        try
        {
            while (true)
            {
                // A Sentinel that answers and fails in turn gets no shorter pauses.
                attempts = await RoundAsync(report, stop) > Attempts.Longest ? new Attempts(clock, Random) : attempts;
                await Task.Delay(attempts.NextPause(), clock, stop);
            }
        }
        catch (Exception e) when (stop.IsCancellationRequested && StoreFault.IsExpected(e))
        {
            // The watch is over; what it was in the middle of has failed.
        }
    }

    /// <summary>Asks one Sentinel after the other, and stays with each for as long as it answers.</summary>
    /// <returns>The longest time for which one has answered.</returns>
    private async Task<TimeSpan> RoundAsync(Action<SourceReading> report, CancellationToken stop)
    {
        var faults = new List<string>();
        int stale = 0;
        long latest = -1;
        TimeSpan longest = TimeSpan.Zero;
        foreach (string server in settings.RedisSentinel)
        {
            long began = clock.GetTimestamp();
            bool answered = false;
            try
            {
                await ServeAsync(
                    server,
                    read =>
                    {
                        answered = true;
                        report(read);
                    },
                    stop);
            }
            catch (StaleSentinelException e)
            {
                stale++;
                latest = Math.Max(latest, e.Epoch);
                faults.Add($"{server}: {e.Message}");
            }
            catch (Exception e) when (StoreFault.IsExpected(e) && !stop.IsCancellationRequested)
            {
                faults.Add($"{server}: {StoreFault.TextOf(e)}");
            }

            if (answered)
            {
                report(new SourceReading.Unknown(faults[^1]));
                faults.Clear();
                stale = 0;
                TimeSpan served = clock.GetElapsedTime(began);
                longest = served > longest ? served : longest;
            }
        }

        if (faults.Count > 0)
        {
            report(new SourceReading.Unknown(faults.Count == 1 ? faults[0] : $"no Sentinel answers: {string.Join("; ", faults.Take(3))}"));
        }

        // A failover needs a majority. One that no majority knows of is forgotten: the Sentinels have been set up anew. A single one that has missed
        // it proves nothing while the others do not answer.
        _epoch = 2 * stale > settings.RedisSentinel.Length ? latest : _epoch;
        return longest;
    }

    /// <exception cref="Exception">Always: why this Sentinel does not answer, or no longer.</exception>
    private async Task ServeAsync(string server, Action<SourceReading> report, CancellationToken stop)
    {
        // First the subscription, then the question: no event between the two is missed.
        await using RespConnection subscribed = await LimitedAsync(cancel => RespConnection.OpenAsync(server, settings, cancel), stop);
        var watch = new SentinelWatch(subscribed, settings.Service, Timeout, clock);
        await LimitedAsync(
            async cancel =>
            {
                await watch.BeginAsync(cancel);
                return true;
            },
            stop);
        while (true)
        {
            SentinelView view = await LimitedAsync(cancel => AskAsync(server, cancel), stop);
            if (view.Epoch < _epoch)
            {
                throw new StaleSentinelException(view.Epoch);
            }

            _epoch = view.Epoch;
            report(view.ToReading(settings.Role) switch
            {
                SourceReading.Unknown unknown => throw new StoreFault(unknown.Why),
                SourceReading read => read,
            });
            await watch.WaitAsync(settings.Interval, stop);
            await Task.Delay(Debounce, clock, stop);
        }
    }

    private async Task<SentinelView> AskAsync(string server, CancellationToken cancel)
    {
        // A connection with a subscription takes no other command; one for each question is cheap at this pace, and never half read.
        await using RespConnection connection = await RespConnection.OpenAsync(server, settings, cancel);
        await connection.SendAsync(SentinelView.Commands(settings.Service), cancel);
        var replies = new RespValue[SentinelView.Replies];
        for (int i = 0; i < replies.Length; i++)
        {
            replies[i] = await connection.ReceiveAsync(cancel);
        }

        return SentinelView.From(replies[0], replies[1], replies[2], out string why) ?? throw new StoreFault(why);
    }

    private static async Task<T> LimitedAsync<T>(Func<CancellationToken, Task<T>> work, CancellationToken stop)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(AskingTime);
        return await work(limit.Token);
    }

    /// <summary>This Sentinel does not know of a failover that another one has told of.</summary>
    private sealed class StaleSentinelException(long epoch) : Exception("it has missed a failover")
    {
        public long Epoch => epoch;
    }
}
