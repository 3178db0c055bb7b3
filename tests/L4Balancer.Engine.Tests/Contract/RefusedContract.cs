using System.Net.Sockets;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>
/// Nothing of a refused client stays, whatever it has sent by then: no connection, socket or held byte; and stopping does not wait for it.
/// </summary>
[NonParallelizable]
internal abstract class RefusedContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    private const int Clients = 20;

    [Test]
    public async Task A_refused_client_leaves_nothing_whatever_it_has_sent([Values(0, 1, 40_000, 65_536, 200_000, 1_000_000)] int size)
    {
        Rig rig = Start(Settings.Pool(Keep(TestBackend.Refusing())) with
        {
            ConnectTimeout = TimeSpan.FromMilliseconds(300),
            ConnectAttempts = 2,
            Passive = new PassiveSettings { Failures = 0 },
        });
        await ExpectNothingStaysAsync(rig, size);
        Assert.That(rig.Listener.Refused.Total, Is.EqualTo(Clients));
    }

    [Test]
    public async Task Without_a_source_to_connect_from_a_client_leaves_nothing([Values(0, 200_000)] int size)
    {
        Rig rig = Start(Settings.Pool(Backend()) with
        {
            ConnectTimeout = TimeSpan.FromMilliseconds(300),
            ConnectAttempts = 2,
            SourceIps = [Settings.Address("192.0.2.1")],
        });
        await ExpectNothingStaysAsync(rig, size);
        Assert.That(rig.Listener.Refused.Total, Is.EqualTo(Clients));
    }

    [Test]
    public async Task A_queued_client_that_is_closed_leaves_nothing([Values(0, 200_000, 1_000_000)] int size)
    {
        // One is not queued: it and the backend finish when the other side does, or their end would take the five seconds of a lingering close.
        TestBackend backend = Backend();
        backend.Serve(static async peer => await peer.ReceiveAllAsync());
        Rig rig = Start(Settings.Pool(backend) with { NewConnectionRate = 1, ConnectTimeout = TimeSpan.FromSeconds(60) });
        await ExpectNothingStaysAsync(rig, size, () =>
        {
            foreach (ConnectionRecord record in rig.List())
            {
                rig.Engine.Close(record.Id, CloseReason.Admin);
            }
        });
        Assert.That(rig.Listener.Refused[CloseReason.Admin], Is.GreaterThanOrEqualTo(Clients / 2));
    }

    [Test]
    public async Task With_no_memory_left_a_refused_client_leaves_nothing([Values(1, 200_000)] int size)
    {
        Rig rig = Start(
            Settings.Pool(Keep(TestBackend.Refusing())) with { ConnectTimeout = TimeSpan.FromMilliseconds(300), ConnectAttempts = 2 },
            held: new HeldMemory(10_000));
        await ExpectNothingStaysAsync(rig, size);
    }

    [Test]
    public async Task A_client_that_fails_at_the_moment_of_its_backend_leaves_nothing([Values(0, 200_000, 1_000_000)] int size)
    {
        TestBackend late = Keep(TestBackend.Refusing());
        Rig rig = Start(
            Settings.Pool(late) with { ConnectTimeout = TimeSpan.FromMilliseconds(500), ConnectAttempts = 10 },
            onEstablished: static _ => throw new InvalidOperationException("A fault that the test put here."));
        await ExpectNothingStaysAsync(rig, size, late.Listen);
        Assert.That(rig.ClosedAs(CloseReason.Internal), Is.EqualTo(Clients));
    }

    /// <param name="end">What ends the connections, once all clients have sent what is taken from them.</param>
    private static async Task ExpectNothingStaysAsync(Rig rig, int size, Action? end = null)
    {
        int descriptors = EngineSocket.CountDescriptors();
        byte[] bytes = new byte[size];
        List<Task> sending = [];
        List<Socket> clients = [];
        for (int i = 0; i < Clients; i++)
        {
            var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            clients.Add(client);
            sending.Add(SendAsync(client, rig.Address, bytes));
        }

        await Patience.Until(() => rig.Listener.Accepted == Clients, "all are accepted");
        if (end is not null)
        {
            await Patience.Elapse(TimeSpan.FromMilliseconds(200));
            end();
        }

        try
        {
            await rig.AtRestAsync();
            Assert.That(rig.List(), Is.Empty);
            Assert.That(rig.Engine.HeldBytes, Is.Zero);
            await Task.WhenAll(sending).Soon();
        }
        finally
        {
            clients.ForEach(c => c.Dispose());
        }

        await Patience.Until(() => EngineSocket.CountDescriptors() <= descriptors + 2, "the descriptors are given back");
        Task stopping = rig.Engine.StopAsync(TimeSpan.FromMinutes(10), CancellationToken.None);
        await stopping.WaitAsync(TimeSpan.FromSeconds(3));
    }

    /// <summary>Connects and sends until it is reset, which may be at once.</summary>
    private static async Task SendAsync(Socket client, Endpoint to, byte[] bytes)
    {
        try
        {
            await client.ConnectAsync(to.ToIPEndPoint());
            for (int sent = 0; sent < bytes.Length;)
            {
                sent += await client.SendAsync(bytes.AsMemory(sent));
            }

            await client.ReceiveAsync(new byte[1].AsMemory());
            client.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Refused.
        }
    }
}
