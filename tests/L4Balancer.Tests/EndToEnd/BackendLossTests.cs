using System.Diagnostics;

namespace L4Balancer.Tests.EndToEnd;

/// <summary>What a user has the balancer for: a backend dies under load, and only its own connections notice.</summary>
[CancelAfter(120_000)]
[Category(DaemonProcess.Category)]
[Category(DaemonProcess.OfLogic)]
internal sealed class BackendLossTests
{
    private const int Backends = 4;
    private const int Clients = 48;
    private const int Killed = 0;
    private const int Fall = 3;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <summary>Every interval is jittered by a tenth; the rest is for a machine that is busy with other tests.</summary>
    private static readonly TimeSpan Latest = (Interval * Fall * 1.1) + TimeSpan.FromSeconds(1);

    /// <summary>One attempt: a connect to the dead backend is then seen by the client, instead of being mended on another backend.</summary>
    private const string Pool = """
        connect_attempts = 1
          [pools.health]
          type = "tcp"
          interval = "1s"
          timeout = "500ms"
          fall = 3
        """;

    [Test]
    public async Task A_killed_backend_takes_only_its_own_connections_and_gets_no_new_ones_once_it_is_down(CancellationToken cancel)
    {
        NumberedEcho[] backends = [.. Enumerable.Range(0, Backends).Select(i => new NumberedEcho((byte)i))];
        await using Front front = await Front.StartAsync(backends.Select((b, i) => ($"b{i}", b.Port)), Pool);
        EchoClient?[] connected = await Task.WhenAll(Enumerable.Range(0, Clients).Select(_ => EchoClient.ConnectAsync(front.Listener, cancel)));
        EchoClient[] clients = [.. connected.OfType<EchoClient>()];
        Assert.That(clients, Has.Length.EqualTo(Clients));
        Assert.That(clients.Select(c => c.Backend).Distinct().Count(), Is.EqualTo(Backends), "every backend carries some");

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        Task<bool>[] talks = [.. clients.Select(c => c.TalkAsync(stop.Token))];
        await ProgressAsync(clients, cancel);
        while (await front.OfBackendAsync("health_checks_total", $"b{Killed}", cancel) == 0)
        {
            // The first probe decides alone; the rule of this test begins after it.
            cancel.ThrowIfCancellationRequested();
        }

        var sinceKill = Stopwatch.StartNew();
        backends[Killed].Kill();
        await Task.WhenAll(talks.Where((_, i) => clients[i].Backend == Killed)).WaitAsync(cancel);
        (int failures, TimeSpan lastFailure) = await ConnectUntilDownAsync(front, sinceKill, cancel);
        await ProgressAsync([.. clients.Where(c => c.Backend != Killed)], cancel);
        await stop.CancelAsync();

        bool[] survived = await Task.WhenAll(talks).WaitAsync(cancel);
        Assert.That(
            Enumerable.Range(0, Clients).Where(i => survived[i] != (clients[i].Backend != Killed)), Is.Empty,
            "those of the killed backend ended, and no other");
        Assert.That(failures, Is.GreaterThan(0), "until it was marked down, new connections still went there");
        Assert.That(lastFailure, Is.LessThanOrEqualTo(Latest), "new connections moved within interval x fall");
        TestContext.Out.WriteLine($"{failures} refused, the last one begun {lastFailure.TotalSeconds:F2} s after the kill");

        Array.ForEach(clients, c => c.Dispose());
        Array.ForEach(backends, b => b.Dispose());
    }

    /// <summary>Opens one connection after the other until the daemon says that the backend is down, and a hundred more after that.</summary>
    private static async Task<(int Failures, TimeSpan LastFailure)> ConnectUntilDownAsync(Front front, Stopwatch sinceKill, CancellationToken cancel)
    {
        int failures = 0;
        TimeSpan lastFailure = TimeSpan.Zero;
        for (int afterwards = 0; afterwards < 100;)
        {
            for (int i = 0; i < 20; i++)
            {
                TimeSpan begun = sinceKill.Elapsed;
                using EchoClient? client = await EchoClient.ConnectAsync(front.Listener, cancel);
                if (client is null)
                {
                    failures++;
                    lastFailure = begun;
                }
                else
                {
                    Assert.That(client.Backend, Is.Not.EqualTo(Killed));
                }
            }

            bool down = await front.OfBackendAsync("backend_up", $"b{Killed}", cancel) == 0;
            afterwards = down ? afterwards + 20 : 0;
        }

        return (failures, lastFailure);
    }

    /// <summary>Each of them gets ten more answers.</summary>
    private static async Task ProgressAsync(EchoClient[] clients, CancellationToken cancel)
    {
        long[] before = [.. clients.Select(c => c.Echoes)];
        while (clients.Where((c, i) => c.Echoes < before[i] + 10).Any())
        {
            cancel.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }
}
