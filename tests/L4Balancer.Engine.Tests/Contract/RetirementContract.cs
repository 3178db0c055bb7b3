using System.Diagnostics;
using System.Net.Sockets;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>An address that leaves is retired for a second: no client is refused or reset that was on its way to it.</summary>
[Parallelizable(ParallelScope.All)]
internal abstract class RetirementContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    /// <summary>A second of retirement, and what a busy machine adds.</summary>
    private static readonly TimeSpan RetirementAtMost = TimeSpan.FromSeconds(4);

    [Test]
    public async Task A_removed_address_refuses_after_a_second()
    {
        (Rig rig, PoolSettings pool) = StartEcho();
        Peer before = await ConnectAsync(rig);
        await AskAsync(before);

        rig.Publish(Settings.Config(pool, Settings.Listener("127.0.0.2:0")));
        long start = Stopwatch.GetTimestamp();
        Assert.That(rig.Engine.Bound.Single().Address, Is.Not.EqualTo(rig.Address.Address));
        SocketError answer = await AnswerOfAsync(rig.Address, TimeSpan.FromMilliseconds(300));
        Assert.That(answer, Is.EqualTo(SocketError.TimedOut), "a SYN is dropped, so that it comes again");
        await RefusedAsync(rig.Address);

        Assert.That(Stopwatch.GetElapsedTime(start), Is.InRange(TimeSpan.FromSeconds(0.9), RetirementAtMost));
        await AskAsync(before);
    }

    [Test]
    public async Task What_is_under_way_when_an_address_leaves_is_served_by_the_listener_that_it_came_to()
    {
        TestBackend backend = Backend();
        backend.ServeEcho();
        PoolSettings pool = Settings.Pool(backend);
        Rig rig = Start(pool, Settings.Listener("127.0.0.1:0") with { DeferAccept = TimeSpan.FromSeconds(30) });

        // Accepted only when it speaks: until then its handshake is under way for the engine's kernel, and over for the client's.
        Peer client = await ConnectAsync(rig);
        ListenerState listener = rig.Listener;
        rig.Publish(Settings.Config(pool, Settings.Listener("127.0.0.2:0") with { Name = "other" }));

        await AskAsync(client);
        await RefusedAsync(rig.Address);
        await AskAsync(client);
        Assert.That((listener.Accepted, rig.Listener.Accepted), Is.EqualTo((1, 0)));
    }

    [TestCase("0.0.0.0", "127.0.0.1", "127.0.0.1")]
    [TestCase("[::]", "[::1]", "[::1]")]
    public async Task Between_the_wildcard_and_an_address_of_one_port_nobody_is_refused_or_reset(string wildcard, string single, string to)
    {
        TestBackend backend = Backend();
        backend.ServeEcho();
        PoolSettings pool = Settings.Pool(backend);
        Rig rig = Start(pool, Settings.Listener($"{wildcard}:0"));
        ushort port = rig.Address.Port;
        await using var visitors = new Visitors(Settings.Endpoint($"{to}:{port}"));
        await visitors.MoreAsync(20);

        // There and back, each time to the end of the retirement; and then faster than that.
        foreach ((string address, bool wait) in new[] { (single, true), (wildcard, true), (single, false), (wildcard, false), (single, true) })
        {
            rig.Publish(Settings.Config(pool, Settings.Listener($"{address}:{port}")));
            Endpoint bound = rig.Engine.Bound.Single();
            Assert.That(bound, Is.EqualTo(Settings.Endpoint($"{address}:{port}")));
            Assert.That(EngineSocket.FindListening(bound).ReusePort, Is.Zero, "a second daemon finds it in use");
            if (wait)
            {
                Endpoint left = Settings.Endpoint($"{(address == single ? wildcard : single)}:{port}");
                await Patience.Until(() => EngineSocket.TryFindListening(left) is null, "the other one is closed");
            }

            await visitors.MoreAsync(20);
        }

        await visitors.EndAsync();
        Assert.That(visitors.Failures, Is.Empty);
    }

    [Test]
    public async Task An_address_that_leaves_and_comes_back_keeps_its_socket()
    {
        (Rig rig, PoolSettings pool) = StartEcho();
        ListenerSettings listener = Settings.Listener(rig.Address.ToString());
        int descriptor = EngineSocket.FindListening(rig.Address).Descriptor;
        for (int i = 0; i < 3; i++)
        {
            rig.Publish(Settings.Config(pool, listener with { Bind = [Settings.Endpoint("127.0.0.2:0")] }));
            rig.Publish(Settings.Config(pool, listener));
            await VisitAsync(rig.Address);
        }

        await Patience.Elapse(TimeSpan.FromSeconds(1.5));
        await VisitAsync(rig.Address);
        Assert.That(EngineSocket.FindListening(rig.Address).Descriptor, Is.EqualTo(descriptor));
    }

    [Test]
    public async Task An_address_that_comes_back_while_it_is_being_closed_is_bound()
    {
        (Rig rig, PoolSettings pool) = StartEcho();
        ListenerSettings listener = Settings.Listener(rig.Address.ToString());
        for (int i = 0; i < 5; i++)
        {
            rig.Publish(Settings.Config(pool, listener with { Bind = [Settings.Endpoint("127.0.0.2:0")] }));
            await Patience.Elapse(TimeSpan.FromMilliseconds(985 + (5 * i)));
            rig.Publish(Settings.Config(pool, listener));
            await VisitAsync(rig.Address);
        }
    }

    [Test]
    public async Task Stopping_closes_what_is_retiring()
    {
        (Rig rig, PoolSettings pool) = StartEcho();
        rig.Publish(Settings.Config(pool, Settings.Listener("127.0.0.2:0")));
        Assert.That(EngineSocket.TryFindListening(rig.Address), Is.Not.Null);

        await rig.Engine.StopAsync(TimeSpan.Zero, CancellationToken.None).Soon();

        Assert.That(EngineSocket.TryFindListening(rig.Address), Is.Null);
    }

    private static Task RefusedAsync(Endpoint endpoint) => Task.Run(async () =>
    {
        SocketError answer;
        do
        {
            answer = await AnswerOfAsync(endpoint, TimeSpan.FromMilliseconds(50));
        }
        while (answer == SocketError.TimedOut);
        Assert.That(answer, Is.EqualTo(SocketError.ConnectionRefused));
    }).Soon();

    /// <summary>What a connect comes to within this time.</summary>
    private static async Task<SocketError> AnswerOfAsync(Endpoint endpoint, TimeSpan time)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        using var deadline = new CancellationTokenSource(time);
        try
        {
            await socket.ConnectAsync(endpoint.ToIPEndPoint(), deadline.Token);
            return SocketError.Success;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode;
        }
        catch (OperationCanceledException)
        {
            return SocketError.TimedOut;
        }
    }
}
