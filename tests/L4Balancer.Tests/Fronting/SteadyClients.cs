using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace L4Balancer.Tests.Fronting;

/// <summary>
/// A new connection every 20 ms, each of which asks once and closes. What became of each is kept in the order of their starts, so that the
/// time without service is known to 20 ms.
/// </summary>
internal sealed class SteadyClients : IAsyncDisposable
{
    /// <summary>So many in a row have to be served before a service counts as back.</summary>
    private const int Enough = 25;

    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(20);

    /// <summary>A client that has waited this long has failed. A SYN that is lost is sent again after one second.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    private readonly VirtualHost _host;
    private readonly IPEndPoint _service;
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly List<Attempt> _attempts = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly Func<Task<string>>? _diagnosis;
    private readonly Task _running;

    /// <param name="diagnosis">What the message of a failed wait ends with.</param>
    public SteadyClients(VirtualHost host, IPEndPoint service, Func<Task<string>>? diagnosis = null)
    {
        _host = host;
        _service = service;
        _diagnosis = diagnosis;
        _running = RunAsync();
    }

    public TimeSpan Now => _clock.Elapsed;

    /// <summary>Waits until new connections are served, and by these balancers only, each of them.</summary>
    /// <param name="since">When what is measured was done.</param>
    public async Task<Outage> ServedByAsync(TimeSpan since, params string[] balancers)
    {
        var waited = Stopwatch.StartNew();
        while (true)
        {
            Attempt[] all = Since(since);
            if (IsServed(all, balancers))
            {
                return OutageOf(all, since);
            }

            if (waited.Elapsed > DaemonProcess.Deadline)
            {
                string last = string.Join('\n', all.TakeLast(40).Select(a => $"{a.Start - since}: {a.Balancer ?? a.Error ?? "waiting"}"));
                string more = _diagnosis is null ? "" : await _diagnosis();
                throw new AssertionException($"{_service} is not served by {string.Join(" and ", balancers)} alone:\n{last}\n{more}");
            }

            await Task.Delay(20);
        }
    }

    /// <summary>What failed since then.</summary>
    public Outage OutageSince(TimeSpan since) => OutageOf(Since(since), since);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }

    // Of those that have ended the last ones are successes, and none before them is undecided.
    private static bool IsServed(Attempt[] all, string[] balancers)
    {
        int end = all.Length;
        while (end > 0 && !all[end - 1].IsDone)
        {
            end--;
        }

        int enough = Enough * balancers.Length;
        return end >= enough && all.AsSpan(0, end).ToArray().All(a => a.IsDone)
            && all[(end - enough)..end].Select(a => a.Balancer).ToHashSet().SetEquals(balancers);
    }

    private static Outage OutageOf(Attempt[] all, TimeSpan since)
    {
        Attempt[] done = [.. all.Where(a => a.IsDone)];
        Attempt[] failed = [.. done.Where(a => a.Balancer is null)];
        Attempt[] served = [.. done.Where(a => a.Balancer is not null).OrderBy(a => a.End)];
        TimeSpan silence = TimeSpan.Zero;
        TimeSpan last = since;
        foreach (Attempt attempt in served)
        {
            silence = attempt.End - last > silence ? attempt.End - last : silence;
            last = attempt.End;
        }

        return new Outage(
            silence, failed.Length == 0 ? TimeSpan.Zero : failed[^1].Start - since, served.Max(a => a.End - a.Start),
            failed.Length, all.Length,
            string.Join(", ", failed.GroupBy(a => a.Error).Select(g => $"{g.Count()} {g.Key}")));
    }

    private Attempt[] Since(TimeSpan since)
    {
        lock (_attempts)
        {
            return [.. _attempts.Where(a => a.Start >= since)];
        }
    }

    private async Task RunAsync()
    {
        var running = new List<Task>();
        using var timer = new PeriodicTimer(Pace);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token))
            {
                running.RemoveAll(t => t.IsCompletedSuccessfully);
                running.Add(TryAsync());
            }
        }
        catch (OperationCanceledException)
        {
            // Disposed of.
        }

        await Task.WhenAll(running);
    }

    private async Task TryAsync()
    {
        var attempt = new Attempt(_clock.Elapsed);
        lock (_attempts)
        {
            _attempts.Add(attempt);
        }

        using var patience = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        patience.CancelAfter(Patience);
        try
        {
            using FrontClient client = await FrontClient.ConnectAsync(_host, _service, patience.Token);
            attempt.Balancer = client.Balancer;
        }
        catch (SocketException e)
        {
            attempt.Error = $"{e.SocketErrorCode}";
        }
        catch (OperationCanceledException)
        {
            attempt.Error = "no answer";
        }

        attempt.End = _clock.Elapsed;
        attempt.IsDone = true;
    }

    private sealed class Attempt(TimeSpan start)
    {
        private volatile bool _isDone;

        public TimeSpan Start { get; } = start;

        public TimeSpan End { get; set; }

        public string? Balancer { get; set; }

        public string? Error { get; set; }

        /// <summary>The three above are final.</summary>
        public bool IsDone
        {
            get => _isDone;
            set => _isDone = value;
        }
    }
}

/// <summary>What new connections saw of a failover.</summary>
/// <param name="Silence">The longest time between two answers, from the event on.</param>
/// <param name="LastFailed">From the event to the start of the last connection that failed; zero: none failed.</param>
/// <param name="Slowest">From the start of a connection that was served to its answer, the longest.</param>
internal readonly record struct Outage(TimeSpan Silence, TimeSpan LastFailed, TimeSpan Slowest, int Failed, int Attempts, string Errors)
{
    public override string ToString() => FormattableString.Invariant(
        $"no answer for {Silence.TotalSeconds:0.00} s; {Failed} of {Attempts} connects failed{(Failed > 0 ? $" ({Errors})" : "")}, ")
        + FormattableString.Invariant($"the last after {LastFailed.TotalSeconds:0.00} s; slowest {Slowest.TotalSeconds:0.00} s");
}
