using System.Net;
using System.Net.Sockets;
using L4Balancer.Engine.Managed;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Managed;

/// <summary>Neither half of a direction waits for the other one for ever, whatever that one met.</summary>
internal sealed class DirectionTests
{
    private static readonly byte[] MoreThanFits = new byte[8 * PipePool.PauseThreshold];

    private readonly List<Socket> _sockets = [];

    [TearDown]
    public void CloseAll()
    {
        _sockets.ForEach(s => s.Dispose());
        _sockets.Clear();
    }

    [Test]
    public async Task A_fault_while_reading_ends_the_writing_too()
    {
        (Socket peer, Socket source) = await ConnectAsync();
        (Socket sink, _) = await ConnectAsync();
        var direction = new Direction(static _ => throw new InvalidOperationException("A fault that the test put here."), static _ => { }, new HeldMemory(long.MaxValue));
        Task<FillEnd> fill = direction.FillAsync(source, CancellationToken.None);
        Task<bool> drain = direction.DrainAsync(sink, default);

        await peer.SendAsync(new byte[1]);

        Assert.That(() => fill.Soon(), Throws.InvalidOperationException);
        Assert.That(await drain.Soon(), Is.True, "nothing was left to write");
        direction.Release();
    }

    [Test]
    public async Task A_fault_while_writing_ends_the_reading_too()
    {
        (Socket peer, Socket source) = await ConnectAsync();
        (Socket sink, _) = await ConnectAsync();
        var direction = new Direction(static _ => { }, static _ => throw new InvalidOperationException("A fault that the test put here."), new HeldMemory(long.MaxValue));
        Task sending = peer.SendAsync(MoreThanFits);
        Task<FillEnd> fill = direction.FillAsync(source, CancellationToken.None);
        await Patience.UntilStill(() => source.Available, TimeSpan.FromMilliseconds(100));

        Task<bool> drain = direction.DrainAsync(sink, default);

        Assert.That(() => drain.Soon(), Throws.InvalidOperationException);
        Assert.That(await fill.Soon(), Is.EqualTo(FillEnd.Stopped));
        direction.Release();
        source.Dispose();
        await sending.Soon().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task<(Socket Peer, Socket Ours)> ConnectAsync()
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        var peer = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _sockets.Add(peer);
        await peer.ConnectAsync(listener.LocalEndPoint!);
        Socket ours = await listener.AcceptAsync();
        _sockets.Add(ours);
        return (peer, ours);
    }
}
