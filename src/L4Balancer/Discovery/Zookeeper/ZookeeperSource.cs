using L4Balancer.Core.Config;
using L4Balancer.Core.Discovery;
using L4Balancer.Stores;

namespace L4Balancer.Discovery.Zookeeper;

/// <summary>
/// The children of a node of ZooKeeper, watched (ZooKeeper Programmer's Guide, "Watches"). After an event, and after <c>interval</c>, everything is read
/// again. The protocol is written here by hand (docs/decisions/0012-what-is-ours.md).
/// </summary>
/// <param name="prefix">The node, with a slash at its end.</param>
internal sealed class ZookeeperSource(DiscoverySettings settings, string prefix, TimeProvider clock) : IBackendSource
{
    /// <summary>Changes that come together are read together.</summary>
    private static readonly TimeSpan Debounce = TimeSpan.FromMilliseconds(50);

    private static readonly TimeSpan LongestDebounce = TimeSpan.FromSeconds(1);

    /// <summary>From the connect to the granted session.</summary>
    private static readonly TimeSpan OpeningTime = TimeSpan.FromSeconds(3);

    /// <summary>For one reading of everything.</summary>
    private static readonly TimeSpan ReadingTime = TimeSpan.FromSeconds(30);

    private readonly string _path = prefix.TrimEnd('/');

    /// <summary>Two thirds of it without a byte, and the connection is taken for dead.</summary>
    public TimeSpan SessionTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>For the order of the servers, and for pauses.</summary>
    public Random Random { get; init; } = Random.Shared;

    public async Task WatchAsync(Action<SourceReading> report, CancellationToken stop)
    {
        var attempts = new Attempts(clock, Random);
        try
        {
            while (true)
            {
                var faults = new List<string>();
                long began = clock.GetTimestamp();
                foreach (string server in Shuffled())
                {
                    if (await ServeAsync(server, faults, report, stop))
                    {
                        // It has answered: a new round, with every server. A store that answers and fails in turn gets no shorter pauses.
                        attempts = clock.GetElapsedTime(began) > Attempts.Longest ? new Attempts(clock, Random) : attempts;
                        break;
                    }
                }

                report(new SourceReading.Unknown(faults.Count == 1 ? faults[0] : $"no server answers: {string.Join("; ", faults.Take(3))}"));
                await Task.Delay(attempts.NextPause(), clock, stop);
            }
        }
        catch (Exception e) when (stop.IsCancellationRequested && StoreFault.IsExpected(e))
        {
            // The watch is over; what it was in the middle of has failed.
        }
    }

    /// <summary>Reads from one server for as long as it answers.</summary>
    /// <param name="faults">Gets why it does not, or no longer.</param>
    /// <returns>Whether it has answered at all; then this is the only fault.</returns>
    private async Task<bool> ServeAsync(string server, List<string> faults, Action<SourceReading> report, CancellationToken stop)
    {
        bool answered = false;
        try
        {
            await using ZookeeperSession session = await OpenAsync(server, stop);
            var nodes = new ZookeeperPrefix(session, _path);
            while (true)
            {
                long began = clock.GetTimestamp();
                SourceReading read = await ReadAsync(nodes, stop);
                if (!answered)
                {
                    answered = true;
                    faults.Clear();
                }

                report(read);
                TimeSpan took = clock.GetElapsedTime(began);
                await session.WaitAsync(settings.Interval, stop);

                // Never reading without a break, however many nodes there are and however often they change.
                await Task.Delay(took < Debounce ? Debounce : took < LongestDebounce ? took : LongestDebounce, clock, stop);
            }
        }
        catch (Exception e) when (StoreFault.IsExpected(e) && !stop.IsCancellationRequested)
        {
            faults.Add($"{server}: {StoreFault.TextOf(e)}");
            return answered;
        }
    }

    private async Task<ZookeeperSession> OpenAsync(string server, CancellationToken stop)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(OpeningTime);
        Stream stream = await StoreConnection.OpenAsync(server, settings, limit.Token);
        ZookeeperSession session = await ZookeeperSession.BeginAsync(stream, SessionTimeout, clock, limit.Token);
        try
        {
            if (settings.User.Length > 0)
            {
                await AuthenticateAsync(session, limit.Token);
            }

            return session;
        }
        catch
        {
            await session.DisposeAsync();
            throw;
        }
    }

    private async Task AuthenticateAsync(ZookeeperSession session, CancellationToken cancel)
    {
        string password = StoreConnection.ReadPassword(settings);
        await session.SendAsync(ZookeeperRequest.Authenticate(settings.User, password), cancel);
        ZookeeperReply.TryHeader(await session.ReplyAsync(cancel), out ZookeeperReplyHeader header);
        if (header.Xid != ZookeeperRequest.AuthXid || header.Error != 0)
        {
            throw new StoreFault(ZookeeperReplyHeader.TextOf(header.Error != 0 ? header.Error : ZookeeperReplyHeader.AuthFailed));
        }
    }

    private static async Task<SourceReading> ReadAsync(ZookeeperPrefix nodes, CancellationToken stop)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(ReadingTime);
        return await nodes.ReadAsync(limit.Token);
    }

    private string[] Shuffled()
    {
        string[] servers = [.. settings.Zookeeper];
        Random.Shuffle(servers);
        return servers;
    }
}
