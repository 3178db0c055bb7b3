using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Ledger;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Tests.Contract;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Ledger;

/// <summary>A ledger in a folder of its own, and what is to be written into it.</summary>
internal sealed class LedgerSample : IDisposable
{
    public static readonly LedgerShape Small = new(Workers: 2, Slots: 1000, Pipes: 3, Names: 40, Overrides: 4, Listening: 4);

    /// <summary>Nothing has ended, nothing is held.</summary>
    public static readonly EntryStart Start = new(
        EntryEnds.None, ClientIsUnix: false, IsDirtyToBackend: false, IsDirtyToClient: false, PipeToBackend: -1, PipeToClient: -1);

    private readonly string _folder = Directory.CreateTempSubdirectory("l4-ledger-").FullName;
    private readonly List<IDisposable> _open = [];
    private readonly List<KernelPipe> _pipes = [];

    public LedgerSample(LedgerShape? shape = null, ulong nextId = 1)
    {
        Ledger = ConnectionLedger.TryCreate(Path, shape ?? Small, LedgerWriter.Current(), generation: 1, nextId, out string? fault)
            ?? throw new InvalidOperationException(fault);
        Assert.That(Ledger.Publish(), Is.Null);
    }

    public ConnectionLedger Ledger { get; }

    public string Path => System.IO.Path.Combine(_folder, "ledger");

    /// <summary>What a process after this one would read now.</summary>
    public LedgerReading Read()
    {
        using SharedFile file = SharedFile.OpenExisting(Path, out Errno error) ?? throw new InvalidOperationException(error.ToString());
        return Read(file);
    }

    public static unsafe LedgerReading Read(SharedFile file) => LedgerReader.Read(new ReadOnlySpan<byte>(file.Start, (int)file.Length), LedgerWriter.Current());

    /// <summary>A connected pair, and the descriptor of each.</summary>
    public (int Client, int Backend) Sockets() => (Socket(), Socket());

    public int Socket()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _open.Add(socket);
        return (int)socket.Handle;
    }

    public KernelPipe Pipe()
    {
        Assert.That(KernelPipe.TryOpen(65_536, 4096, out KernelPipe pipe));
        _pipes.Add(pipe);
        return pipe;
    }

    /// <summary>The record of an established connection: accepted at 1 s, its connect began at once and took 2 ms.</summary>
    public static ConnectionRecord Record(RoutingSnapshot snapshot, string client = "192.0.2.7:51234")
    {
        ConnectionRecord record = default;
        ConnectionSetup setup = default;
        var accepted = new Instant(TimeSpan.TicksPerSecond);
        SetupStep step = setup.Accepted(
            ref record, snapshot, snapshot.Listeners[0], new FourTuple(Settings.Endpoint(client), Settings.Endpoint("198.51.100.1:443")), accepted);
        Assert.That(step.Action, Is.EqualTo(SetupAction.Connect));
        setup.Connected(ref record, Settings.Endpoint("10.0.0.1:40000"), accepted + TimeSpan.FromMilliseconds(2));
        return record;
    }

    public static RoutingSnapshot Snapshot()
    {
        using TestBackend backend = TestBackend.Refusing();
        return RoutingSnapshot.Build(new(Settings.Config(Settings.Pool(backend), Settings.Listener("127.0.0.1:0")), 100));
    }

    public void Dispose()
    {
        Ledger.Dispose();
        _open.ForEach(s => s.Dispose());
        _pipes.ForEach(p => p.Close());
        Directory.Delete(_folder, recursive: true);
    }
}
