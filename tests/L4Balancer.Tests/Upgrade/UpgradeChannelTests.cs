using System.Diagnostics;
using System.Runtime.Versioning;
using L4Balancer.Engine.Linux;
using L4Balancer.Upgrade;

namespace L4Balancer.Tests.Upgrade;

/// <summary>Messages over a pair of sockets, in one process.</summary>
[SupportedOSPlatform("linux")]
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class UpgradeChannelTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(50);

    private readonly UpgradeChannel _old;
    private readonly UpgradeChannel _new;

    public UpgradeChannelTests()
    {
        PacketPair one = PacketPair.TryCreate(out int other, out _)!;
        _old = new UpgradeChannel(one) { Other = "the new process" };
        _new = new UpgradeChannel(PacketPair.Own(other)) { Other = "the old process" };
    }

    public void Dispose()
    {
        _old.Dispose();
        _new.Dispose();
    }

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(PacketPair.LongestPacket)]
    [TestCase(3_000_000)]
    public async Task A_message_of_any_size_arrives_whole(int size)
    {
        byte[] body = new byte[size];
        new Random(size).NextBytes(body);
        Task sending = Task.Run(() => _old.Send(UpgradeMessageKind.State, body, [], Limit));
        using UpgradeMessage message = _new.Receive(UpgradeMessageKind.State, Limit);
        await sending;
        Assert.That(message.Body.SequenceEqual(body));
        Assert.That(message.Descriptors, Is.Zero);
    }

    [TestCase(1)]
    [TestCase(252)]
    [TestCase(253)]
    [TestCase(1000)]
    public async Task Descriptors_arrive_in_their_order_and_are_closed_if_nobody_takes_them(int count)
    {
        using FileStream file = File.OpenRead("/dev/null");
        using FileStream another = File.OpenRead("/dev/zero");
        int[] sent = [.. Enumerable.Range(0, count).Select(i => (int)(i % 3 == 0 ? file : another).SafeFileHandle.DangerousGetHandle())];
        Task sending = Task.Run(() => _old.Send(UpgradeMessageKind.Slice, [1, 2, 3], sent, Limit));
        using (UpgradeMessage message = _new.Receive(UpgradeMessageKind.Slice, Limit))
        {
            await sending;
            Assert.That(message.Descriptors, Is.EqualTo(count));
            IReadOnlyList<int> came = message.TakeDescriptors();
            for (int i = 0; i < count; i++)
            {
                string target = new FileInfo($"/proc/self/fd/{came[i]}").LinkTarget!;
                Assert.That(target, Is.EqualTo(i % 3 == 0 ? "/dev/null" : "/dev/zero"));
            }

            UpgradeSlice.Close(came);
        }

        // The end of a pair is seen only when nobody has the other one open any more.
        using PacketPair pair = PacketPair.TryCreate(out int other, out _)!;
        _old.Send(UpgradeMessageKind.Slice, [], [other], Limit);
        PacketPair.Close(other);
        _new.Receive(UpgradeMessageKind.Slice, Limit).Dispose();
        Assert.That(pair.Receive(new byte[PacketPair.LongestPacket], new int[PacketPair.MostDescriptors], Limit, out int _, out int _), Is.EqualTo(PacketResult.Ended));
    }

    [Test]
    public void Silence_is_told_from_the_end()
    {
        var waited = Stopwatch.StartNew();
        Assert.That(
            () => _new.Receive(UpgradeMessageKind.Hello, Short),
            Throws.TypeOf<UpgradeSilenceException>().With.Message.EqualTo("the old process did not send Hello within 50ms"));
        Assert.That(waited.Elapsed, Is.LessThan(Limit));
        _old.Send(UpgradeMessageKind.Hello, new byte[] { 5 }, Limit);
        _old.Shut();
        using (UpgradeMessage message = _new.Receive(UpgradeMessageKind.Hello, Limit))
        {
            Assert.That(message.Body.ToArray(), Is.EqualTo(new byte[] { 5 }), "what was sent before the end is received");
        }

        Assert.That(() => _new.Receive(UpgradeMessageKind.Hello, Limit), Throws.TypeOf<UpgradePeerEndedException>());
        Assert.That(() => _new.Send(UpgradeMessageKind.Hello, default, Limit), Throws.TypeOf<UpgradePeerEndedException>());
    }

    [Test]
    public void A_process_that_does_not_read_is_given_up()
    {
        Assert.That(
            () => _old.Send(UpgradeMessageKind.State, new byte[8_000_000], [], Short),
            Throws.TypeOf<UpgradeSilenceException>().With.Message.EqualTo("the new process does not read State within 50ms"));
    }

    [Test]
    public async Task The_end_of_the_other_process_ends_the_channel_though_its_socket_is_open_elsewhere()
    {
        using Process sleeper = Process.Start("sleep", "600");
        _new.Peer = WatchedProcess.TryOpen(sleeper.Id);
        Task<Exception> waiting = Task.Run(() => Assert.Catch(() => _new.Receive(UpgradeMessageKind.Hello, Limit))!);
        sleeper.Kill();
        Assert.That(await waiting.WaitAsync(Limit), Is.TypeOf<UpgradePeerEndedException>());
        await sleeper.WaitForExitAsync();
    }

    [Test]
    public void The_other_process_says_why_it_gives_up()
    {
        _old.TrySendFault("no room");
        Assert.That(
            () => _new.Receive(UpgradeMessageKind.State, Limit),
            Throws.TypeOf<UpgradeException>().With.Message.EqualTo("the old process gave up: no room"));
    }

    [Test]
    public void Another_message_than_the_expected_one_is_an_error_that_names_both()
    {
        _old.Send(UpgradeMessageKind.Commit, default, Limit);
        Assert.That(
            () => _new.Receive(UpgradeMessageKind.State, Limit),
            Throws.TypeOf<UpgradeException>().With.Message.EqualTo("the old process sent Commit instead of State"));
    }
}
