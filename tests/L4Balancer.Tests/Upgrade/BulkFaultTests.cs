using System.Globalization;
using System.Net;
using System.Net.Sockets;
using L4Balancer.Tests.Hosting;

namespace L4Balancer.Tests.Upgrade;

/// <summary>Faults of an upgrade while every connection carries a stream, which the kernel moves through pipes (splice(2)).</summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.All)]
internal sealed class BulkFaultTests
{
    private const int Streams = 4;

    /// <summary>Of each stream, before and after the fault. A stream is spliced once it has moved some megabytes.</summary>
    private const int Enough = 16 << 20;

    [TestCase("new.slice@2:kill", false)]
    [TestCase("new.answered:kill", false)]
    [TestCase("old.committed:kill", true)]
    public async Task Streams_go_on_with_every_byte_in_its_place(string fault, bool succeeds)
    {
        if (!UpgradeFaultTests.HasKeeper)
        {
            Assert.Ignore("without a keeper the connections of the process that is killed are lost");
        }

        using var backend = new StreamBackend();
        string config = OneBackend.Config(backend.Endpoint, balancer: "workers = 2").Replace("[admin]\nsocket = \"\"\n", "", StringComparison.Ordinal);
        await using var family = new DaemonFamily(config, fault);
        await family.First.ReadyAsync();
        IPEndPoint listener = await family.First.ListenerAsync("wss");
        List<StreamReader> readers = [];
        try
        {
            for (int i = 0; i < Streams; i++)
            {
                readers.Add(new StreamReader(await Talk.ConnectAsync(listener)));
            }

            await family.UntilAsync(() => Task.FromResult(readers.TrueForAll(static r => r.Read > Enough)), "every stream moves");
            Assert.That(SplicedIn(await OneBackend.ScrapeAsync(family.First)), Is.Positive, "they are spliced");
            (int code, string output, string errors) = await family.CommandAsync("upgrade");
            Assert.That(code, Is.EqualTo(succeeds ? 0 : 1), output + errors);
            long[] then = [.. readers.Select(static r => r.Read)];
            await family.UntilAsync(
                () => Task.FromResult(readers.Index().All(r => r.Item.Fault is not null || r.Item.Read > then[r.Index] + Enough)), "they go on");
            Assert.That(
                readers.Select(static r => r.Fault).Where(static f => f is not null), Is.Empty,
                string.Join('\n', family.First.Output));
        }
        finally
        {
            readers.ForEach(static r => r.Dispose());
        }
    }

    private static long SplicedIn(string metrics) => metrics.Split('\n')
        .Where(static l => l.StartsWith("l4balancer_spliced_bytes_total{", StringComparison.Ordinal))
        .Sum(static l => long.Parse(l[(l.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture));

    /// <summary>Sends each client a stream in which each eight bytes are their own place.</summary>
    private sealed class StreamBackend : IDisposable
    {
        /// <summary>All streams together stay far below what the machine can move: it has other tests to run.</summary>
        private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(10);

        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly CancellationTokenSource _ended = new();

        public StreamBackend()
        {
            _listener.Start();
            _ = AcceptAsync();
        }

        public IPEndPoint Endpoint => (IPEndPoint)_listener.LocalEndpoint;

        public void Dispose()
        {
            _ended.Cancel();
            _listener.Dispose();
            _ended.Dispose();
        }

        private async Task AcceptAsync()
        {
            try
            {
                while (true)
                {
                    _ = SendAsync(await _listener.AcceptSocketAsync(_ended.Token));
                }
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
            {
                // The test is over.
            }
        }

        private async Task SendAsync(Socket socket)
        {
            var chunk = new byte[256 << 10];
            using var pace = new PeriodicTimer(Pace);
            try
            {
                for (long sent = 0; await pace.WaitForNextTickAsync(_ended.Token); sent += chunk.Length)
                {
                    for (int i = 0; i < chunk.Length; i += sizeof(long))
                    {
                        BitConverter.TryWriteBytes(chunk.AsSpan(i), sent + i);
                    }

                    for (int part = 0; part < chunk.Length;)
                    {
                        part += await socket.SendAsync(chunk.AsMemory(part), _ended.Token);
                    }
                }
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
            {
                // A probe, or the test is over.
            }
            finally
            {
                socket.Dispose();
            }
        }
    }

    /// <summary>Reads such a stream, and compares all of it.</summary>
    private sealed class StreamReader : IDisposable
    {
        private readonly TcpClient _client;
        private long _read;

        public StreamReader(TcpClient client)
        {
            _client = client;
            _ = ReadAsync();
        }

        public long Read => Interlocked.Read(ref _read);

        /// <summary>Why it has ended; null while it has not.</summary>
        public string? Fault { get; private set; }

        public void Dispose() => _client.Dispose();

        private async Task ReadAsync()
        {
            var chunk = new byte[256 << 10];
            var word = new byte[sizeof(long)];
            try
            {
                while (await _client.Client.ReceiveAsync(chunk) is int count and > 0)
                {
                    for (int i = 0; i < count; i++)
                    {
                        long place = _read + i;
                        if (i == 0 || place % sizeof(long) == 0)
                        {
                            BitConverter.TryWriteBytes(word, place - (place % sizeof(long)));
                        }

                        if (chunk[i] != word[place % sizeof(long)])
                        {
                            Fault = $"wrong byte at {place}";
                            return;
                        }
                    }

                    Interlocked.Add(ref _read, count);
                }

                Fault = $"it ends after {_read} bytes";
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                Fault = $"{e.Message} after {_read} bytes";
            }
        }
    }
}
