using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace L4Balancer.Tests.Hosting;

/// <summary>A log that cannot be written stops no traffic, does not fill the memory and does not keep the daemon from its end.</summary>
[Platform("Linux")]
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class BrokenOutputTests
{
    // Each two lines: more than the queue (4096) and the pipe (64 KiB) hold.
    private const int Visits = 3000;

    [Test]
    public async Task A_full_disk_stops_nobody()
    {
        await using var backend = new EchoPeer();
        var address = new IPEndPoint(IPAddress.Loopback, FreePort());
        await using DaemonProcess daemon = Start("/dev/full", address, backend);
        await VisitAsync(daemon, address);
        daemon.Signal(DaemonProcess.SIGTERM);
        Assert.That(await daemon.ExitAsync(), Is.Zero);
    }

    [Test]
    public async Task A_reader_that_has_gone_stops_nobody()
    {
        using var pipe = new NamedPipe();
        await using var backend = new EchoPeer();
        var address = new IPEndPoint(IPAddress.Loopback, FreePort());
        FileStream reader = pipe.Open();
        await using DaemonProcess daemon = Start(pipe.Path, address, backend);
        await ConnectAsync(address);
        await reader.DisposeAsync();
        await VisitAsync(daemon, address);
        daemon.Signal(DaemonProcess.SIGTERM);
        Assert.That(await daemon.ExitAsync(), Is.Zero);
    }

    [Test]
    public async Task A_reader_that_does_not_read_stops_nobody_and_hears_what_it_missed()
    {
        using var pipe = new NamedPipe();
        await using var backend = new EchoPeer();
        var address = new IPEndPoint(IPAddress.Loopback, FreePort());
        await using FileStream reader = pipe.Open();
        await using DaemonProcess daemon = Start(pipe.Path, address, backend);
        await VisitAsync(daemon, address);

        using var lines = new StreamReader(reader);
        string? line;
        using var patience = new CancellationTokenSource(DaemonProcess.Deadline);
        do
        {
            line = await lines.ReadLineAsync(patience.Token);
        }
        while (line is not null && !line.Contains("log lines were dropped here", StringComparison.Ordinal));

        Assert.That(line, Is.Not.Null);
        daemon.Signal(DaemonProcess.SIGTERM);
        Assert.That(await daemon.ExitAsync(), Is.Zero);
    }

    private static async Task VisitAsync(DaemonProcess daemon, IPEndPoint address)
    {
        await ConnectAsync(address);
        long before = daemon.ResidentBytes;
        for (int i = 0; i < Visits; i++)
        {
            await ConnectAsync(address);
        }

        // A line is 300 bytes, the queue and its batch some megabytes; the rest is what a young process still compiles and collects.
        Assert.That(daemon.ResidentBytes - before, Is.LessThan(80_000_000));
    }

    private static async Task ConnectAsync(IPEndPoint address)
    {
        var waited = Stopwatch.StartNew();
        using var steps = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        do
        {
            try
            {
                using var client = new TcpClient { LingerState = new LingerOption(true, 0) };
                await client.ConnectAsync(address);
                await client.GetStream().WriteAsync(new byte[1]);
                await client.GetStream().ReadExactlyAsync(new byte[1]).AsTask().WaitAsync(DaemonProcess.Deadline);
                return;
            }
            catch (SocketException) when (waited.Elapsed < DaemonProcess.Deadline)
            {
                // It is only starting; nothing of it can be read here.
            }
        }
        while (await steps.WaitForNextTickAsync());
    }

    private static DaemonProcess Start(string output, IPEndPoint address, EchoPeer backend) => DaemonProcess.Start(
        new Dictionary<string, string>(), ["sh", "-c", $"exec \"$@\" > {output}", "sh"],
        "run", "--config", DaemonProcess.ConfigFileWith(string.Create(CultureInfo.InvariantCulture, $$"""
            [balancer]
            access_log = "all"
            log_level = "debug"
            [admin]
            socket = ""
            [[listeners]]
            name = "wss"
            bind = ["{{address}}"]
            pool = "chat"
            [[pools]]
            name = "chat"
            health = { type = "none" }
            [[pools.backends]]
            name = "ws1"
            address = "{{backend.Endpoint}}"

            """)));

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private sealed class NamedPipe : IDisposable
    {
        public NamedPipe()
        {
            using Process mkfifo = Process.Start("mkfifo", [Path]);
            mkfifo.WaitForExit();
        }

        public string Path { get; } = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"l4balancer-test-{Guid.NewGuid():N}.pipe");

        /// <summary>Both ways, or it would wait for a writer; so a reader that shall go must be the only one.</summary>
        public FileStream Open() => new(Path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0);

        public void Dispose() => File.Delete(Path);
    }
}
