using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Text;
using L4Balancer.Web;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Tests.Web;

/// <summary>What clients of a web host see when it pauses, resumes, and when another process takes its place.</summary>
[Platform("Linux")]
[SupportedOSPlatform("linux")]
[CancelAfter(120_000)]
internal sealed class PausedHostTests
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("l4b-");

    [OneTimeTearDown]
    public void Remove_the_folder() => _folder.Delete(recursive: true);

    [TestCase(true)]
    [TestCase(false)]
    public async Task No_client_is_refused_and_none_sees_the_host_before_after_the_one_that_took_its_place(bool isUnix)
    {
        string path = isUnix ? PathOf() : "";
        await using NumberedHost first = await NumberedHost.StartAsync(1, Fresh(), path);
        using var end = new CancellationTokenSource();
        var answers = new AnswerLog();
        Task[] clients = [.. Enumerable.Range(0, 3).Select(i => answers.AskAsync(first, keep: i > 0, end.Token))];
        await answers.UntilAsync(1, 50);

        // An attempt that fails, then one that succeeds.
        await first.PauseAsync();
        first.Resume();
        await answers.UntilAsync(1, 100);
        await first.PauseAsync();
        first.Sockets.AreShared = true;
        await using NumberedHost second = await NumberedHost.StartAsync(2, NumberedHost.HandedOver(first.Sockets), path);
        await answers.UntilAsync(2, 50);
        await first.DisposeAsync();
        await answers.UntilAsync(2, 100);
        await end.CancelAsync();
        await Task.WhenAll(clients);
        Assert.That(answers.Faults, Is.Empty);
        Assert.That(answers.IsInOrder, Is.True);
        Assert.That(File.Exists(path), Is.EqualTo(isUnix));
    }

    [Test]
    public async Task What_is_under_way_is_finished_and_who_has_just_connected_is_answered()
    {
        await using NumberedHost host = await NumberedHost.StartAsync(1, Fresh());
        using HttpClient holder = host.Client();
        Task<int> held = host.AskAsync(holder, "/hold");
        await PlacesHost.EventuallyAsync(() => host.Holding == 1);
        using Socket late = await host.ConnectAsync();
        await PlacesHost.EventuallyAsync(() => host.Listener.Places.Count == 2);
        Task pause = host.PauseAsync();
        await late.SendAsync(Encoding.ASCII.GetBytes("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        Assert.That(await PlacesHost.StatusAsync(late), Is.EqualTo(200));
        host.AnswerHeld();
        Assert.That(await held, Is.EqualTo(1));
        await pause;
        Assert.That(host.Listener.Places.Count, Is.Zero);
        host.Resume();
        Assert.That(await host.AskAsync(holder), Is.EqualTo(1));
    }

    [Test]
    public async Task Silent_and_endless_ones_are_cut_off_but_not_one_that_stays()
    {
        await using NumberedHost host = await NumberedHost.StartAsync(1, Fresh());
        using HttpClient endless = host.Client();
        using HttpClient stays = host.Client();
        using Socket silent = await host.ConnectAsync();
        Task<int> cut = host.AskAsync(endless, "/hold");
        Task<int> kept = host.AskAsync(stays, "/stay");
        await PlacesHost.EventuallyAsync(() => host.Holding == 2);
        await host.PauseAsync().WaitAsync(DaemonProcess.Deadline);
        Assert.That(host.Listener.Places.Count, Is.EqualTo(1));
        Assert.That(async () => await cut, Throws.InstanceOf<HttpRequestException>());
        Assert.That(await PlacesHost.StatusAsync(silent), Is.Zero);
        host.AnswerHeld();
        Assert.That(await kept, Is.EqualTo(1));
        host.Resume();
    }

    [Test]
    public async Task Clients_that_connect_during_a_pause_are_answered_after_it()
    {
        await using NumberedHost host = await NumberedHost.StartAsync(1, Fresh());
        await host.PauseAsync();
        await host.PauseAsync();
        using HttpClient client = host.Client();
        Task<int> waiting = host.AskAsync(client);
        using Socket another = await host.ConnectAsync();
        Assert.That(host.Listener.Places.Count, Is.Zero);
        Assert.That(waiting.IsCompleted, Is.False);
        host.Resume();
        Assert.That(await waiting, Is.EqualTo(1));
        host.Resume();
        Assert.That(await PlacesHost.GetAsync(another, "/"), Is.EqualTo(200));
    }

    // By connect(2) to AF_UNSPEC, by which the framework ends what hangs, the socket would listen no more; with a linger time of zero, which
    // accepted sockets inherit, clients would be reset.
    [Test]
    public async Task The_end_of_one_process_changes_nothing_of_the_socket_of_another()
    {
        await using NumberedHost first = await NumberedHost.StartAsync(1, Fresh());
        using ControlSockets handed = NumberedHost.HandedOver(first.Sockets);
        first.Sockets.AreShared = true;
        await first.DisposeAsync();
        await using NumberedHost second = await NumberedHost.StartAsync(2, handed);
        using HttpClient client = second.Client();
        Assert.That(await second.AskAsync(client), Is.EqualTo(2));

        // Not disposed of: what that does is tested here.
        var listening = new Socket(new SafeSocketHandle(second.Listener.Socket.Descriptor, ownsHandle: false));
        Assert.That(listening.LingerState!.Enabled, Is.False);
    }

    private static ControlSockets Fresh() => new([], NullLogger.Instance);

    private string PathOf() => Path.Combine(_folder.FullName, $"{TestContext.CurrentContext.Test.ID}.sock");

    /// <summary>The answers to several clients, which ask as fast as they can.</summary>
    private sealed class AnswerLog
    {
        private readonly Lock _gate = new();
        private readonly Dictionary<int, int> _counts = [];
        private int _latest;

        public List<string> Faults { get; } = [];

        /// <summary>Whether no answer was older than one that had come before its question.</summary>
        public bool IsInOrder { get; private set; } = true;

        public async Task AskAsync(NumberedHost host, bool keep, CancellationToken end)
        {
            HttpClient client = host.Client();
            while (!end.IsCancellationRequested)
            {
                int before = Volatile.Read(ref _latest);
                try
                {
                    int number = await host.AskAsync(client);
                    lock (_gate)
                    {
                        _counts[number] = _counts.GetValueOrDefault(number) + 1;
                        IsInOrder &= number >= before;
                        _latest = Math.Max(_latest, number);
                    }
                }
                catch (HttpRequestException e)
                {
                    lock (_gate)
                    {
                        Faults.Add(e.ToString());
                    }
                }

                if (!keep)
                {
                    client.Dispose();
                    client = host.Client();
                }
            }

            client.Dispose();
        }

        public Task UntilAsync(int number, int count) => PlacesHost.EventuallyAsync(() =>
        {
            lock (_gate)
            {
                return _counts.GetValueOrDefault(number) >= count;
            }
        });
    }
}
