using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>A listener with <c>on_pool_down = "stop-listening"</c>: no socket listens while its pool has no available backend.</summary>
[Parallelizable(ParallelScope.All)]
internal abstract class PoolDownContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    private static readonly ListenerSettings Stopping = Settings.Listener("127.0.0.1:0") with { OnPoolDown = OnPoolDown.StopListening };

    [Test]
    public async Task Its_port_is_closed_while_the_pool_is_down_and_the_same_one_is_bound_when_it_is_back()
    {
        TestBackend backend = Backend();
        backend.ServeEcho();
        Rig rig = Start(Settings.Pool(backend), Stopping);
        Endpoint address = rig.Address;
        Peer early = Keep(await Peer.ConnectAsync(address));
        await AskAsync(early);

        Turn(rig, HealthState.Down);
        Assert.That(rig.Engine.Bound, Is.Empty);
        await RefusesAsync(address);
        await AskAsync(early);
        Assert.That(rig.Engine.FollowPools(), Is.Empty, "and stays so");
        Assert.That(rig.Engine.Bound, Is.Empty);

        Turn(rig, HealthState.Up);
        Assert.That(rig.Engine.Bound, Is.EqualTo(new[] { address }));
        await VisitAsync(address);
        await AskAsync(early);
    }

    [Test]
    public async Task A_pool_that_is_back_within_the_second_of_a_retirement_keeps_its_socket()
    {
        (Rig rig, _) = StartStopping();
        await VisitAsync(rig.Address);
        EngineSocket before = EngineSocket.FindListening(rig.Address);
        Turn(rig, HealthState.Down);
        Turn(rig, HealthState.Up);

        Assert.That(EngineSocket.FindListening(rig.Address).Descriptor, Is.EqualTo(before.Descriptor));
        await VisitAsync(rig.Address);
    }

    [Test]
    public async Task A_backend_on_trial_is_listened_for()
    {
        (Rig rig, _) = StartStopping();
        Turn(rig, HealthState.Down);
        await RefusesAsync(rig.Address);

        // Without a connection it could not prove that it is back.
        Turn(rig, HealthState.HalfOpen);
        Assert.That(rig.Engine.Bound, Is.EqualTo(new[] { rig.Address }));
    }

    [Test]
    public async Task A_listener_that_refuses_goes_on_listening()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        Turn(rig, HealthState.Down);

        Assert.That(rig.Engine.Bound, Is.EqualTo(new[] { rig.Address }));
        await ExpectResetAsync(rig);
    }

    [Test]
    public async Task A_port_that_another_took_meanwhile_hinders_nothing_else_and_is_bound_once_it_is_free()
    {
        TestBackend backend = Backend();
        backend.ServeEcho();
        PoolSettings pool = Settings.Pool(backend);
        Rig rig = Start(pool, Stopping);
        Endpoint address = rig.Address;
        Turn(rig, HealthState.Down);
        await RefusesAsync(address);
        using (var other = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp))
        {
            other.Bind(address.ToIPEndPoint());
            other.Listen();
            rig.Pool.SetHealth(new Dictionary<int, HealthState> { [0] = HealthState.Up });
            ListenFailure failure = rig.Engine.FollowPools().Single();
            Assert.That(failure.Message, Does.Contain("in use").And.Contain($"{address}"));
            rig.Publish(Settings.Config(pool with { ConnectAttempts = 2 }, Stopping, Settings.Listener("127.0.0.2:0") with { Name = "second" }));
            Assert.That(rig.Engine.Bound.Single().Address, Is.EqualTo(Settings.Address("127.0.0.2")));
            await VisitAsync(rig.Engine.Bound.Single());
        }

        Assert.That(rig.Engine.FollowPools(), Is.Empty);
        Assert.That(rig.Engine.Bound[0], Is.EqualTo(address));
        await VisitAsync(address);
    }

    [Test]
    public async Task A_reload_to_refuse_listens_again_though_the_pool_is_down()
    {
        (Rig rig, PoolSettings pool) = StartStopping();
        Endpoint address = rig.Address;
        Turn(rig, HealthState.Down);
        await RefusesAsync(address);
        rig.Publish(Settings.Config(pool, Settings.Listener("127.0.0.1:0")));

        Assert.That(rig.Engine.Bound, Is.EqualTo(new[] { address }));
    }

    [Test]
    public async Task A_socket_of_another_process_is_never_closed_for_it()
    {
        TestBackend backend = Backend();
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(Settings.Endpoint("127.0.0.1:0").ToIPEndPoint());
        socket.Listen();
        Endpoint endpoint = Endpoint.From((System.Net.IPEndPoint)socket.LocalEndPoint!);
        int descriptor = (int)socket.SafeHandle.DangerousGetHandle();
        socket.SafeHandle.SetHandleAsInvalid();
        Rig rig = Start(Settings.Pool(backend), Settings.Listener(endpoint.ToString()) with { OnPoolDown = OnPoolDown.StopListening }, inherited: [descriptor]);
        Turn(rig, HealthState.Down);

        Assert.That(rig.Engine.Bound, Is.EqualTo(new[] { endpoint }));
        await ExpectResetAsync(rig);
    }

    private (Rig Rig, PoolSettings Pool) StartStopping()
    {
        TestBackend backend = Backend();
        backend.ServeEcho();
        PoolSettings pool = Settings.Pool(backend);
        return (Start(pool, Stopping), pool);
    }

    private static void Turn(Rig rig, HealthState health)
    {
        rig.Pool.SetHealth(new Dictionary<int, HealthState> { [0] = health });
        Assert.That(rig.Engine.FollowPools(), Is.Empty);
    }

    // For a second a SYN is dropped, and the client sends it again.
    private static async Task RefusesAsync(Endpoint address)
    {
        SocketException? refused = null;
        try
        {
            using Peer client = await Peer.ConnectAsync(address);
        }
        catch (SocketException e)
        {
            refused = e;
        }

        Assert.That(refused?.SocketErrorCode, Is.EqualTo(SocketError.ConnectionRefused));
    }
}
