using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using L4Balancer.Hosting;
using L4Balancer.Tests.Admin;

namespace L4Balancer.Tests.Hosting;

/// <summary>Files on which open(2) blocks: the daemon starts or reports an error, and handles SIGTERM from the beginning.</summary>
[Platform("Linux")]
[Category(DaemonProcess.Category)]
[CancelAfter(120_000)]
[Parallelizable(ParallelScope.Self)]
internal sealed class BlockedStartTests
{
    // What a read may take before it is given up is 30 s.
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);

    private SocketFolder _folder = null!;

    [SetUp]
    public void Make_a_folder() => _folder = new SocketFolder();

    [TearDown]
    public void Remove_it() => _folder.Dispose();

    [TestCase(DaemonProcess.SIGTERM)]
    [TestCase(DaemonProcess.SIGINT)]
    public async Task A_signal_ends_a_start_that_waits_for_its_configuration(int signal)
    {
        await using DaemonProcess daemon = DaemonProcess.Start("run", "--config", await PipeAsync("config.toml"));
        await UntilAsync(() => Threads(daemon).Any(t => t.StartsWith("l4b-read-config", StringComparison.Ordinal)));
        daemon.Signal(DaemonProcess.SIGHUP);
        daemon.Signal(signal);
        Assert.That(await daemon.ExitAsync(Soon), Is.Zero);
        Assert.That(daemon.Errors.Single(), Does.Contain("stopped while the configuration was being read"));
    }

    [Test]
    public async Task A_token_file_that_is_a_pipe_is_not_opened()
    {
        await using var backend = new EchoPeer();
        string pipe = await PipeAsync("token");
        await using DaemonProcess daemon = DaemonProcess.Start("run", "--config", DaemonProcess.ConfigFileWith($"""
            [admin]
            socket = "{_folder.SocketPath}"
            token_file = "{pipe}"
            {Rest(backend.Endpoint, "type = \"none\"")}
            """));
        await daemon.ReadyAsync();
        Assert.That(daemon.Output, Has.Exactly(1).Contains($"token_file {pipe}: it is a pipe, a socket or a device: specify a regular file"));
        using TcpClient client = await Talk.ConnectAsync(await daemon.ListenerAsync("wss"));
        Assert.That(await Talk.EchoAsync(client, "a"), Is.EqualTo("a"));
        client.Close();
        daemon.Signal(DaemonProcess.SIGTERM);
        Assert.That(await daemon.ExitAsync(), Is.Zero);
    }

    [TestCase("check")]
    [TestCase("run")]
    public async Task A_ca_file_that_is_a_pipe_is_an_error_with_its_position(string command)
    {
        string pipe = await PipeAsync("ca.pem");
        await using DaemonProcess daemon = DaemonProcess.Start(command, "--config", DaemonProcess.ConfigFileWith(
            "[admin]\nsocket = \"\"\n" + Rest(new(IPAddress.Loopback, 9), $"type = \"tls\", ca_file = \"{pipe}\"")));
        Assert.That(await daemon.ExitAsync(Soon), Is.EqualTo(2));
        Assert.That(daemon.Errors.Single(), Does.Match(@"\.toml:\d+:\d+: error: pools\[0\]\.health\.ca_file: .* it is a pipe, a socket or a device"));
    }

    [Test]
    public async Task A_signal_to_stop_comes_before_the_end_of_the_work_and_others_are_kept()
    {
        // Handlers are called in the reverse order of their registration: this one comes last.
        var came = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var last = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context =>
        {
            context.Cancel = true;
            came.TrySetResult();
        });
        using var signals = new Signals();
        var work = new TaskCompletionSource();
        Task<Signal?> waiting = signals.StopBeforeAsync(work.Task);
        Assert.That(waiting.IsCompleted, Is.False);
        work.SetResult();
        Assert.That(await waiting.WaitAsync(Soon), Is.Null);

        using Process self = Process.GetCurrentProcess();
        using Process hangup = Process.Start("kill", ["-HUP", self.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        await hangup.WaitForExitAsync();
        Assert.That(await signals.StopBeforeAsync(TakenAsync()).WaitAsync(Soon), Is.Null);
        Assert.That(await signals.Arrived.ReadAsync().AsTask().WaitAsync(Soon), Is.EqualTo(Signal.Hangup));

        async Task TakenAsync()
        {
            await came.Task;
            await UntilAsync(() => signals.Arrived.Count == 0);
        }
    }

    private static string Rest(IPEndPoint backend, string health) => $$"""
        [[listeners]]
        name = "wss"
        bind = ["127.0.0.1:0"]
        pool = "chat"
        [[pools]]
        name = "chat"
        health = { {{health}} }
        [[pools.backends]]
        name = "ws1"
        address = "{{backend}}"
        """;

    private async Task<string> PipeAsync(string name)
    {
        string path = _folder.PathOf(name);
        using Process fifo = Process.Start("mkfifo", path);
        await fifo.WaitForExitAsync();
        return path;
    }

    private static IEnumerable<string> Threads(DaemonProcess daemon) =>
        Directory.EnumerateDirectories($"/proc/{daemon.Id}/task").Select(task => File.ReadAllText($"{task}/comm"));

    private static async Task UntilAsync(Func<bool> condition)
    {
        var waited = Stopwatch.StartNew();
        using var looks = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!condition())
        {
            Assert.That(waited.Elapsed, Is.LessThan(DaemonProcess.Deadline));
            await looks.WaitForNextTickAsync();
        }
    }
}
