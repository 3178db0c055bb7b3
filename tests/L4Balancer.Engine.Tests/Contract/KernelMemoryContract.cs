using System.Net.Sockets;
using L4Balancer.Core.Config;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>What the kernel holds for peers that do not read is bounded: what waits to be sent always, the rest by the buffer sizes.</summary>
[NonParallelizable]
internal abstract class KernelMemoryContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    private const int KiB = 1024;

    [Test]
    public async Task A_peer_that_does_not_read_costs_a_bounded_send_queue([Values] bool client)
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (long sending, _) = await FillAsync(rig, backend, client);
        Assert.That(sending, Is.LessThan(1024 * KiB), "bytes of kernel memory for each; megabytes where the send buffer grows by itself");
    }

    /// <summary>A reader in the middle of a bulk transfer may have a longer queue, but only so many of them at a time.</summary>
    [Test]
    public async Task Only_so_many_that_stop_reading_in_a_bulk_transfer_have_a_longer_send_queue([Values] bool client)
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend), workers: 1);
        (long sending, _) = await FillAsync(rig, backend, client, connections: 80, readFirst: 16 * KiB * KiB);
        Assert.That(sending, Is.LessThan(((32 * 5 * KiB) + (48 * KiB)) / 80 * KiB), "32 with megabytes, the others as above");
    }

    [Test]
    public async Task With_fixed_buffers_both_queues_are_bounded([Values] bool client)
    {
        TestBackend backend = Backend();
        var small = new ByteSize(32 * KiB);
        Rig rig = Start(
            Settings.Pool(backend) with { SendBuffer = small, ReceiveBuffer = small },
            Settings.Listener("127.0.0.1:0") with { SendBuffer = small, ReceiveBuffer = small });
        (long sending, long receiving) = await FillAsync(rig, backend, client);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(sending, Is.LessThan(128 * KiB));
            Assert.That(receiving, Is.LessThan(128 * KiB));
        }
    }

    /// <summary>Sends to peers that read so many bytes and then nothing, until nothing is taken any more.</summary>
    /// <returns>Kernel memory per connection: of the send queues towards them, and of the receive queues of the other side.</returns>
    private async Task<(long Sending, long Receiving)> FillAsync(
        Rig rig, TestBackend backend, bool client, int connections = 40, int readFirst = 0)
    {
        List<(Peer Reader, Peer Sender)> pairs = [];
        for (int i = 0; i < connections; i++)
        {
            (Peer near, Peer far) = await OpenAsync(rig, backend);
            (Peer reader, Peer sender) = client ? (near, far) : (far, near);
            sender.Socket.SendBufferSize = 64 * KiB;
            pairs.Add((reader, sender));
            _ = SendForEverAsync(sender.Socket);
        }

        await Task.WhenAll(pairs.Select(p => ReadAsync(p.Reader.Socket, readFirst)));

        await Patience.UntilStill(() => rig.Backend().BytesToClient + rig.Backend().BytesToBackend, TimeSpan.FromSeconds(1));
        long sending = pairs.Sum(p => EngineSocket.Find(p.Reader.Remote, p.Reader.Local).SendQueueMemory) / connections;
        long receiving = pairs.Sum(p => EngineSocket.Find(p.Sender.Remote, p.Sender.Local).ReceiveQueueMemory) / connections;
        TestContext.Out.WriteLine($"kernel memory per connection: {sending / KiB} KiB in the send queue, {receiving / KiB} KiB in the receive queue");
        Assert.That(sending, Is.GreaterThan(0), "something waits");
        return (sending, receiving);
    }

    private static async Task ReadAsync(Socket socket, int bytes)
    {
        byte[] buffer = new byte[64 * KiB];
        while (bytes > 0)
        {
            bytes -= await socket.ReceiveAsync(buffer.AsMemory());
        }
    }

    private static async Task SendForEverAsync(Socket socket)
    {
        byte[] bytes = new byte[64 * KiB];
        try
        {
            while (true)
            {
                await socket.SendAsync(bytes.AsMemory());
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }
}
