using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using L4Balancer.CommandLine;
using L4Balancer.Core.Balancing;
using L4Balancer.Tests.Admin;

namespace L4Balancer.Tests.EndToEnd;

/// <summary>
/// A chat that is sharded by room: the path of the upgrade request decides the backend. A ninth backend is added while clients come and go.
/// </summary>
[CancelAfter(120_000)]
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
[Category(DaemonProcess.OfLogic)]
internal sealed class RoomShardTests
{
    private const int Rooms = 200;
    private const int Backends = 8;
    private const int Added = Backends;

    /// <summary>Of each of up to 256 backends of equal weight (docs/hashing.md, 3).</summary>
    private const int Points = 1024;

    /// <summary>Of a backend's share, relative to it (docs/hashing.md, 3).</summary>
    private const double ShareDeviation = 0.031;

    private readonly SocketFolder _folder = new();
    private readonly NumberedEcho[] _backends = [.. Enumerable.Range(0, Backends + 1).Select(i => new NumberedEcho((byte)i))];
    private readonly ConcurrentQueue<int>[] _homes = [.. Enumerable.Range(0, Rooms).Select(_ => new ConcurrentQueue<int>())];
    private readonly List<TcpClient> _members = [];
    private DaemonProcess _daemon = null!;
    private int _port;

    [TearDown]
    public async Task StopAsync()
    {
        _members.ForEach(m => m.Dispose());
        await _daemon.DisposeAsync();
        Array.ForEach(_backends, b => b.Dispose());
        _folder.Dispose();
    }

    [Test]
    public async Task A_new_backend_takes_its_share_of_the_rooms_and_no_room_is_split(CancellationToken cancel)
    {
        string file = DaemonProcess.ConfigFileWith(Config(Backends));
        _daemon = DaemonProcess.Start("run", "--config", file);
        await _daemon.ReadyAsync();
        _port = (await _daemon.ListenerAsync("chat")).Port;

        // One member of each room stays.
        foreach (int room in Enumerable.Range(0, Rooms))
        {
            _members.Add(new TcpClient());
            _homes[room].Enqueue(await EnterAsync(_members[^1], room, cancel));
        }

        using var isAdded = new CancellationTokenSource();
        Task[] guests = [.. Enumerable.Range(0, 4).Select(part => ComeAndGoAsync(part, isAdded.Token, cancel))];
        await File.WriteAllTextAsync(file, Config(Backends + 1), cancel);
        using (var output = new StringWriter())
        {
            Assert.That(await CommandLineRoot.InvokeAsync(["reload", "--admin", _folder.SocketPath, .. DaemonProcess.Patiently], output, output), Is.Zero, output.ToString());
        }

        await UntilUpAsync(cancel);
        await isAdded.CancelAsync();
        await Task.WhenAll(guests);

        int[] first = [.. _homes.Select(h => h.First())];
        int[] last = [.. _homes.Select(h => h.Last())];
        int[] moved = [.. Enumerable.Range(0, Rooms).Where(r => first[r] != last[r])];
        (ulong Hash, int Owner)[] ring = Ring();
        double share = ShareOf(Added, ring);
        int visited = _homes.Sum(h => h.Count);
        TestContext.Out.WriteLine($"{moved.Length} of {Rooms} rooms moved; the share of the new backend is {share:P1}; {visited} visits");
        using (Assert.EnterMultipleScope())
        {
            for (int room = 0; room < Rooms; room++)
            {
                // Each visit begins when the one before it has found its backend.
                int[] visits = [.. _homes[room]];
                Assert.That(visits.SkipWhile(v => v == first[room]), Is.All.EqualTo(Added), $"room {room}: {string.Join(' ', visits)}");
            }

            Assert.That(moved, Is.EqualTo(Enumerable.Range(0, Rooms).Where(r => OwnerOf(r, ring) == Added)), "as the published ring has it");
            Assert.That(share, Is.LessThan((1.0 + (5 * ShareDeviation)) / (Backends + 1)));
            Assert.That(moved, Has.Length.LessThan((Rooms * share) + (5 * Math.Sqrt(Rooms * share * (1 - share)))));
            Assert.That(moved, Is.Not.Empty);
            foreach (TcpClient member in _members)
            {
                Assert.That(await Talk.EchoAsync(member, "hello"), Is.EqualTo("hello"), "who is there stays");
            }
        }
    }

    // A quarter of the rooms each; once more when the backend is there.
    private async Task ComeAndGoAsync(int part, CancellationToken isAdded, CancellationToken cancel)
    {
        bool isLast;
        do
        {
            isLast = isAdded.IsCancellationRequested;
            for (int room = part; room < Rooms; room += 4)
            {
                using var guest = new TcpClient();
                _homes[room].Enqueue(await EnterAsync(guest, room, cancel));
            }
        }
        while (!isLast);
    }

    // The greeting of the backend comes first, then the echo of the request.
    private async Task<int> EnterAsync(TcpClient client, int room, CancellationToken cancel)
    {
        await client.ConnectAsync("127.0.0.1", _port, cancel);
        byte[] request = Encoding.ASCII.GetBytes(
            $"GET /rooms/{room}/chat?user={Guid.NewGuid()} HTTP/1.1\r\nHost: chat.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
        await client.GetStream().WriteAsync(request, cancel);
        var answer = new byte[1 + request.Length];
        await client.GetStream().ReadExactlyAsync(answer, cancel);
        Assert.That(answer.AsSpan(1).SequenceEqual(request), "forwarded untouched");
        return answer[0];
    }

    private async Task UntilUpAsync(CancellationToken cancel)
    {
        using var steps = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (true)
        {
            JsonElement[] backends = [.. (await _folder.GetAsync("/v1/backends")).GetProperty("backends").EnumerateArray()];
            if (backends.Length == Backends + 1 && backends.All(b => b.GetProperty("state").GetString() == "up"))
            {
                return;
            }

            await steps.WaitForNextTickAsync(cancel);
        }
    }

    // docs/hashing.md, 3, written down once more.
    private (ulong Hash, int Owner)[] Ring() =>
    [
        .. _backends.SelectMany((backend, i) => Enumerable.Range(0, Points).Select(
            point => (Hash(AddressOf(backend), 0x4C34_5249_4E47_0000 + (ulong)point), i))).Order(),
    ];

    private static ulong Hash(string text, ulong seed) => new RouteKey(Encoding.UTF8.GetBytes(text)).Hash(seed);

    private static int OwnerOf(int room, (ulong Hash, int Owner)[] ring)
    {
        ulong hash = Hash(string.Create(CultureInfo.InvariantCulture, $"/rooms/{room}"), 0);
        return ring.FirstOrDefault(p => p.Hash >= hash, ring[0]).Owner;
    }

    // Of all hashes, those from one point to the next.
    private static double ShareOf(int backend, (ulong Hash, int Owner)[] ring) => Enumerable.Range(0, ring.Length)
        .Where(i => ring[i].Owner == backend).Sum(i => unchecked(ring[i].Hash - ring[(i + ring.Length - 1) % ring.Length].Hash) / Math.Pow(2, 64));

    private static string AddressOf(NumberedEcho backend) => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{backend.Port}");

    private string Config(int backends) => $$"""
        [balancer]
        shutdown_grace = "0s"
        [admin]
        socket = "{{_folder.SocketPath}}"
        [[listeners]]
        name = "chat"
        bind = ["127.0.0.1:0"]
        pool = "rooms"
        inspect = "http"
        [[pools]]
        name = "rooms"
        hash_key = ["http-path:2"]
        health = { interval = "100ms", rise = 1 }
        backends = [{{string.Join(", ", _backends.Take(backends).Select((b, i) => $"{{ name = \"r{i + 1}\", address = \"{AddressOf(b)}\" }}"))}}]

        """;
}
