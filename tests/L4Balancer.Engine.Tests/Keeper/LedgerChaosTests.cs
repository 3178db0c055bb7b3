using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Runtime.Versioning;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Epoll;
using L4Balancer.Engine.Keeper;
using L4Balancer.Engine.Ledger;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Tests.Contract;
using L4Balancer.Engine.Tests.Ledger;
using L4Balancer.Engine.Tests.Peers;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Engine.Tests.Keeper;

/// <summary>
/// A process with an engine is killed at some moment under load, and another engine goes on with the connections that its ledger calls clean. No byte
/// is wrong or missing, whatever the moment was; what is quiet always lives.
/// </summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
[NonParallelizable]
[SupportedOSPlatform("linux")]
internal sealed class LedgerChaosTests : IAsyncDisposable
{
    private const int Each = 8;
    private const int MiB = 1024 * 1024;

    private readonly string _folder = Directory.CreateTempSubdirectory("l4-chaos-").FullName;
    private readonly TestBackend _backend = TestBackend.Listening();
    private readonly List<Peer> _peers = [];
    private readonly LedgerSample _heirs = new(new LedgerShape(2, 1000, 256));
    private Process? _victim;
    private int _keeper;
    private EpollEngine? _engine;

    public async ValueTask DisposeAsync()
    {
        _peers.ForEach(p => p.Dispose());
        if (_engine is not null)
        {
            await _engine.DisposeAsync().AsTask().Soon();
        }

        if (_victim is { HasExited: false })
        {
            _victim.Kill();
        }

        _victim?.Dispose();
        _heirs.Dispose();
        _backend.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Test]
    public async Task Streams_go_on_byte_for_byte_after_a_kill([Range(1, 4)] int seed)
    {
        Endpoint address = await StartVictimAsync();
        List<Pair> quiet = await OpenAsync(address);
        List<Pair> talking = await OpenAsync(address);
        List<Pair> bulk = await OpenAsync(address);
        foreach (Pair pair in quiet)
        {
            await pair.TalkAsync(1000);
        }

        bool stop = false;
        Task[] work =
        [
            .. talking.Select(p => Task.Run(() => TalkAsync(p))), .. bulk.Select(p => Task.Run(() => StreamAsync(p))),
            .. bulk.Select(p => Task.Run(p.ToBackend.ReceiveAllAsync)),
        ];
        await Patience.Until(() => bulk.TrueForAll(p => p.ToBackend.Received > MiB), "bulk flows");
        await Patience.Elapse(TimeSpan.FromMilliseconds(new Random(seed).Next(300)));
        _victim!.Kill();
        await _victim.WaitForExitAsync().Soon();
        (int adopted, int reset) = await TakeOverAsync();
        Assert.That(adopted + reset, Is.EqualTo(3 * Each));

        long[] before = [.. bulk.Select(p => p.ToBackend.Received)];
        await Patience.Until(
            () => bulk.Select((p, i) => p.ToBackend.End is not null || p.ToBackend.Received > before[i] + MiB).All(went => went), "bulk goes on");
        Volatile.Write(ref stop, true);
        await Task.WhenAll(work).Soon();
        foreach (Pair pair in (Pair[])[.. quiet, .. talking, .. bulk])
        {
            await pair.FinishAsync();
        }

        int[] ended = [.. new[] { quiet, talking, bulk }.Select(g => g.Count(p => p.IsReset))];
        TestContext.Out.WriteLine($"adopted {adopted}, reset {reset}: {ended[0]} quiet, {ended[1]} talking, {ended[2]} bulk");
        Assert.That(ended[0], Is.Zero, "quiet connections live");
        Assert.That(ended.Sum(), Is.EqualTo(reset));
        Assert.That(ended[1], Is.LessThanOrEqualTo(EngineVictimBody.Workers), "one is in the middle of a copy for each worker");

        async Task TalkAsync(Pair pair)
        {
            for (int i = 1; !Volatile.Read(ref stop) && !pair.IsReset; i++)
            {
                await pair.TalkAsync(1 + (i * 7919 % 5000));
            }
        }

        async Task StreamAsync(Pair pair)
        {
            try
            {
                while (!Volatile.Read(ref stop))
                {
                    await pair.ToBackend.SendAsync(MiB);
                }

                pair.Client.Finish();
            }
            catch (SocketException)
            {
                // It was reset, which the receiver sees.
            }
        }
    }

    private async Task<Endpoint> StartVictimAsync()
    {
        string dotnet = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        string port = _backend.Endpoint.Port.ToString(CultureInfo.InvariantCulture);
        var start = new ProcessStartInfo(dotnet, ["exec", typeof(LedgerChaosTests).Assembly.Location, "ledger-victim", KeeperCode.Require(), _folder, port])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        _victim = Process.Start(start)!;
        string line = await _victim.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(60)) ?? throw new EndOfStreamException("no victim");
        _keeper = int.Parse(line.Split(' ')[1], CultureInfo.InvariantCulture);
        return Settings.Endpoint($"127.0.0.1:{line.Split(' ')[0]}");
    }

    private async Task<List<Pair>> OpenAsync(Endpoint address)
    {
        List<Pair> pairs = [];
        for (int i = 0; i < Each; i++)
        {
            Peer client = await Peer.ConnectAsync(address);
            Peer server = await _backend.AcceptAsync();
            _peers.AddRange([client, server]);
            pairs.Add(new Pair(client, server));
        }

        return pairs;
    }

    /// <summary>As the next daemon does: fetches, checks, ends the keeper, goes on with what is clean and resets the rest.</summary>
    private async Task<(int Adopted, int Reset)> TakeOverAsync()
    {
        using var file = SharedFile.OpenExisting(Path.Combine(_folder, "ledger"), out _);
        LedgerReading read = LedgerSample.Read(file!);
        using KeeperConnection keeper = KeeperConnection.TryConnect(Path.Combine(_folder, "keeper"), TimeSpan.FromSeconds(15), out string? fault)
            ?? throw new InvalidOperationException(fault);
        RoutingSnapshot snapshot = LedgerSample.Snapshot();
        _engine = new EpollEngine(new EngineOptions
        {
            Clock = TimeProvider.System,
            Records = new RecordedConnections(),
            Loggers = NullLoggerFactory.Instance,
            Workers = 2,
            Ledger = _heirs.Ledger,
        });
        Assert.That(_engine.Start(snapshot), Is.Empty);
        List<ExportedConnection> clean = [];
        List<int> doubtful = [];
        foreach (LedgerConnection connection in read.Connections)
        {
            LedgerEntry entry = connection.Entry;
            int[] here = new int[2];
            Assert.That(keeper.Fetch([entry.Client, entry.Backend], here), Is.Null);
            bool isUsable = connection.IsClean
                && KeeperConnection.IsSocket(here[0], entry.ClientCookie) && KeeperConnection.IsSocket(here[1], entry.BackendCookie)
                && !SocketCookie.HasFailed(here[0], (entry.Ends & EntryEnds.PassedToClient) != 0)
                && !SocketCookie.HasFailed(here[1], (entry.Ends & EntryEnds.PassedToBackend) != 0);
            if (!isUsable)
            {
                doubtful.AddRange(here.Where(d => d >= 0));
                continue;
            }

            clean.Add(new ExportedConnection
            {
                Record = LedgerSample.Record(snapshot),
                Client = here[0],
                Backend = here[1],
                End = default,
                LastActivity = Instant.Now(TimeProvider.System),
                LacksOptions = true,
                PipeToBackend = FetchPipe(keeper, connection.ToBackend),
                PipeToClient = FetchPipe(keeper, connection.ToClient),
            });
        }

        Assert.That(keeper.TryEnd());
        await Patience.Until(() => Victim.HasEnded(_keeper), "the keeper has ended");
        doubtful.ForEach(TcpSocket.Reset);
        Assert.That(await _engine.AdoptAsync(clean).Soon(), Is.Empty);
        Assert.That(read.Connections.Where(c => c.IsClean).Select(c => c.Entry.Id), Is.Unique);
        return (clean.Count, read.Connections.Count - clean.Count);
    }

    private static ExportedPipe? FetchPipe(KeeperConnection keeper, LedgerPipeEnds? pipe)
    {
        if (pipe is null)
        {
            return null;
        }

        int[] ends = new int[2];
        Assert.That(keeper.Fetch([pipe.ReadEnd, pipe.WriteEnd], ends), Is.Null);
        Assert.That(KeeperConnection.IsPipe(ends[0], pipe.Inode) && KeeperConnection.IsPipe(ends[1], pipe.Inode), Is.True);
        return new ExportedPipe(ends[0], ends[1], pipe.Capacity, new KernelPipe(ends[0], ends[1], pipe.Capacity).Unread);
    }

    private sealed class Pair(Peer client, Peer server)
    {
        public Peer Client { get; } = client;

        public CheckedStream ToBackend { get; } = new(client, server);

        public CheckedStream ToClient { get; } = new(server, client);

        public bool IsReset => ToBackend.End == StreamEnd.Reset || ToClient.End == StreamEnd.Reset;

        /// <summary>A message and its answer; returns if it is reset meanwhile.</summary>
        public async Task TalkAsync(int length)
        {
            try
            {
                await ToBackend.SendAsync(length);
                await ToBackend.ReceiveAsync(length);
                await ToClient.SendAsync(length);
                await ToClient.ReceiveAsync(length);
            }
            catch (SocketException)
            {
                // One of the two sees the reset when it reads.
                await ToClient.ReceiveAllAsync();
                await ToBackend.ReceiveAllAsync();
            }
        }

        public async Task FinishAsync()
        {
            if (!IsReset)
            {
                Finish(Client);
                await ToBackend.ReceiveAllAsync().Soon();
                Finish(server);
                await ToClient.ReceiveAllAsync().Soon();
            }

            ToBackend.AssertIsWhole();
            ToClient.AssertIsWhole();
        }

        private static void Finish(Peer peer)
        {
            try
            {
                peer.Finish();
            }
            catch (SocketException)
            {
                // It was reset, which the receiver sees.
            }
        }
    }
}
