using System.Diagnostics;
using System.Net.Sockets;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>Who is let in: the rules of a listener for its sources, and how many a backend holds.</summary>
internal abstract class AdmissionContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    private const string Other = "127.0.0.2";

    [Test]
    public async Task A_source_holds_no_more_than_its_limit_and_its_place_comes_back()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend), Settings.Listener("127.0.0.1:0") with { MaxConnectionsPerSource = 2 });
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        await OpenAsync(rig, backend);
        await ExpectRefusedAsync(rig, CloseReason.Limit, times: 1);

        await OpenFromAsync(rig, backend, Other);
        await ExpectRefusedAsync(rig, CloseReason.Limit, times: 2);

        await FinishAsync(client, server);
        await Patience.Until(() => rig.Records.EndedCount == 3, "the first is over, as the two refused are");
        await OpenAsync(rig, backend);
        await ExpectRefusedAsync(rig, CloseReason.Limit, times: 3);
    }

    [Test]
    public async Task The_place_of_one_that_left_while_connecting_comes_back_too()
    {
        TestBackend silent = Keep(await TestBackend.SilentAsync());
        Rig rig = Start(
            Settings.Pool(silent) with { ConnectTimeout = TimeSpan.FromSeconds(30) },
            Settings.Listener("127.0.0.1:0") with { MaxConnectionsPerSource = 1 });
        Peer client = await ConnectAsync(rig);
        await Patience.Until(() => rig.Listener.Pending == 1, "it is pending");
        await ExpectRefusedAsync(rig, CloseReason.Limit, times: 1);

        client.Reset();
        await Patience.Until(() => rig.Records.EndedCount == 2, "it is over");
        await ConnectAsync(rig);
        await Patience.Until(() => rig.Listener.Pending == 1, "the next has its place");
        Assert.That(rig.Listener.Refused[CloseReason.Limit], Is.EqualTo(1));
    }

    [Test]
    public async Task A_source_that_connects_too_often_is_refused_until_time_has_passed()
    {
        const int rate = 4;
        TestBackend backend = Backend();
        backend.ServeEcho();
        Rig rig = Start(Settings.Pool(backend), Settings.Listener("127.0.0.1:0") with { ConnectionRatePerSource = rate });
        var watch = Stopwatch.StartNew();
        int served = 0;
        for (int i = 0; i < 40; i++)
        {
            served += await IsServedAsync(rig) ? 1 : 0;
        }

        // On a machine that holds the test up the bucket fills meanwhile.
        Assert.That(served, Is.InRange(rate, rate + (watch.Elapsed.TotalSeconds * rate)));
        Assert.That(rig.Listener.Refused[CloseReason.Limit], Is.EqualTo(40 - served));
        Assert.That(await IsServedAsync(rig, Other), Is.True);

        long before = Stopwatch.GetTimestamp();
        while (!await IsServedAsync(rig))
        {
            Assert.That(Stopwatch.GetElapsedTime(before), Is.LessThan(Patience.Limit), "a quarter of a second would do");
        }
    }

    [TestCase("", "127.0.0.1/32")]
    [TestCase("127.0.0.2/32", "")]
    [TestCase("127.0.0.0/8", "127.0.0.0/31")]
    public async Task Who_is_not_let_in_is_reset_as_denied_and_others_are_served(string allow, string deny)
    {
        TestBackend backend = Backend();
        Rig rig = Start(
            Settings.Pool(backend), Settings.Listener("127.0.0.1:0") with { Allow = [.. Ranges(allow)], Deny = [.. Ranges(deny)] });
        await ExpectRefusedAsync(rig, CloseReason.Denied, times: 1);
        (Peer client, Peer server) = await OpenFromAsync(rig, backend, Other);

        Assert.That(rig.Backend().ConnectAttempts, Is.EqualTo(1));
        await FinishAsync(client, server);
    }

    [Test]
    public async Task A_full_backend_is_passed_over_and_where_all_are_full_none_is_asked()
    {
        TestBackend[] backends = [Backend(), Backend(), Backend()];
        Rig rig = Start(WithLimits(Settings.Pool(backends), 1, 2, 1) with { HashKey = TupleFields.SourceIp });
        List<(Peer Client, Peer Server)> all = [];
        for (int i = 0; i < 4; i++)
        {
            all.Add(await OpenAnywhereAsync(rig, backends));
        }

        Assert.That(Held(rig), Is.EqualTo(new[] { 1, 2, 1 }));
        await ExpectRefusedAsync(rig, CloseReason.Limit, times: 1);
        Assert.That(rig.Pool.Backends.Sum(b => b.State.ConnectAttempts), Is.EqualTo(4));

        await FinishAsync(all[0].Client, all[0].Server);
        await Patience.Until(() => Held(rig).Sum() == 3, "its place is free");
        await OpenAnywhereAsync(rig, backends);
        Assert.That(Held(rig), Is.EqualTo(new[] { 1, 2, 1 }));
    }

    [Test]
    public async Task Connects_under_way_fill_a_backend_too()
    {
        TestBackend silent = Keep(await TestBackend.SilentAsync());
        Rig rig = Start(WithLimits(Settings.Pool(silent), 2) with { ConnectTimeout = TimeSpan.FromSeconds(30) });
        await ConnectAsync(rig);
        await ConnectAsync(rig);
        await Patience.Until(() => rig.Backend().Load == 2, "both are on their way");

        await ExpectRefusedAsync(rig, CloseReason.Limit, times: 1);
    }

    private static PoolSettings WithLimits(PoolSettings pool, params int[] most) =>
        pool with { Backends = [.. pool.Backends.Select((b, i) => b with { MaxConnections = most[i] })] };

    private static int[] Held(Rig rig) => [.. rig.Pool.Backends.Select(b => b.State.Active)];

    private static IEnumerable<Cidr> Ranges(string text) =>
        text.Length == 0 ? [] : [Cidr.TryParse(text, out Cidr range) ? range : throw new FormatException(text)];

    private static async Task ExpectRefusedAsync(Rig rig, CloseReason reason, int times)
    {
        await ExpectResetAsync(rig);
        await Patience.Until(() => rig.Listener.Refused.Total >= times, "it is counted");
        Assert.That((rig.Listener.Refused[reason], rig.Listener.Refused.Total), Is.EqualTo(((long)times, (long)times)));
    }

    private static async Task<bool> IsServedAsync(Rig rig, string? from = null)
    {
        try
        {
            using Peer client = await Peer.ConnectAsync(rig.Address, from: from);
            await client.SendAsync(new byte[1]);
            await client.ReceiveAsync(1);
            return true;
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionReset or SocketError.Shutdown)
        {
            return false;
        }
    }

    private async Task<(Peer Client, Peer Server)> OpenFromAsync(Rig rig, TestBackend backend, string from)
    {
        Peer client = Keep(await Peer.ConnectAsync(rig.Address, from: from));
        Peer server = Keep(await backend.AcceptAsync());
        await Patience.Until(() => rig.Records.IsEstablished(client.Local), "the engine knows of it too");
        return (client, server);
    }

    private async Task<(Peer Client, Peer Server)> OpenAnywhereAsync(Rig rig, TestBackend[] backends)
    {
        int[] before = Held(rig);
        Peer client = await ConnectAsync(rig);
        await Patience.Until(() => Held(rig).Sum() > before.Sum(), "it is established");
        int[] now = Held(rig);
        int where = Enumerable.Range(0, now.Length).First(i => now[i] > before[i]);
        return (client, Keep(await backends[where].AcceptAsync()));
    }
}
