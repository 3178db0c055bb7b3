using L4Balancer.Core.Accounting;
using L4Balancer.Core.Timing;
using L4Balancer.Engine;
using L4Balancer.Upgrade;

namespace L4Balancer.Tests.Upgrade;

/// <summary>The messages of an upgrade: what is written is read, by a later version too, and an earlier one refuses what it must not ignore.</summary>
internal sealed class UpgradeMessagesTests
{
    private static readonly UpgradeHello Hello = new() { Build = "1.2.3 (abc)", Process = 4711, DescriptorLimit = 1 << 20, ConfigHash = "0123" };

    [Test]
    public void A_hello_is_read_as_it_was_written()
    {
        Assert.That(UpgradeHello.Read(Hello.Write().Span), Is.EqualTo(Hello));
    }

    [Test]
    public void The_bytes_of_a_hello_of_version_1_do_not_change()
    {
        // The first message must be readable by every version, or they could not tell that they do not fit.
        Assert.That(Convert.ToHexStringLower((Hello with { Build = "1", ConfigHash = "" }).Write().Span), Is.EqualTo(
            "010008000000" + "0100000000000000" + "020008000000" + "0100000000000000" + "030001000000" + "31" + "040008000000" + "6712000000000000"
            + "050008000000" + "0000100000000000" + "060000000000"));
    }

    [TestCase(UpgradeLaterVersion.Optional, true)]
    [TestCase(UpgradeLaterVersion.Mandatory, false)]
    public void A_field_of_a_later_version_is_passed_over_unless_it_must_be_understood(UpgradeLaterVersion later, bool isRead)
    {
        ReadOnlyMemory<byte> bytes = (Hello with { Later = later }).Write();
        if (isRead)
        {
            Assert.That(UpgradeHello.Read(bytes.Span), Is.EqualTo(Hello));
        }
        else
        {
            Assert.That(() => UpgradeHello.Read(bytes.Span), Throws.TypeOf<UpgradeException>().With.Message.Contains("must know"));
        }
    }

    [TestCase(1, 1, 1, 1, 1)]
    [TestCase(1, 1, 1, 2, 1)]
    [TestCase(1, 3, 2, 5, 3)]
    [TestCase(1, 1, 2, 2, 0)]
    [TestCase(3, 4, 1, 2, 0)]
    [TestCase(1, 1, 0, 0, 0)]
    public void The_highest_version_that_both_speak_is_taken(int lowest, int highest, int otherLowest, int otherHighest, int agreed)
    {
        UpgradeHello own = Hello with { Lowest = lowest, Highest = highest };
        UpgradeHello other = Hello with { Lowest = otherLowest, Highest = otherHighest };
        if (agreed > 0)
        {
            Assert.That(own.Agree(other), Is.EqualTo(agreed));
        }
        else
        {
            Assert.That(() => own.Agree(other), Throws.TypeOf<UpgradeException>().With.Message.Contains("restart instead"));
        }
    }

    [Test]
    public void A_slice_is_read_as_it_was_written_with_its_descriptors_in_their_places()
    {
        UpgradeConnection[] sent =
        [
            new UpgradeConnection(7, new byte[] { 1, 2, 3 })
            {
                Client = 100, Backend = 101, ClientIsUnix = true, LastActivity = new Instant(42), ToBackend = new byte[] { 9 }, ClientCookie = 5, BackendCookie = ulong.MaxValue,
            },
            new UpgradeConnection(ulong.MaxValue, Array.Empty<byte>())
            {
                Client = 102, Backend = 103, PipeToBackend = new ExportedPipe(104, 105, 4096, 17), PipeToClient = new ExportedPipe(106, 107, 8192, 18),
            },
        ];
        var slice = new UpgradeSlice(3, new Instant(99), 1000, sent);
        using UpgradeMessage message = Message(slice, slice.Write());
        UpgradeSlice read = UpgradeSlice.Read(message, out string? refused);
        Assert.That(refused, Is.Null);
        Assert.That((read.Number, read.Frozen, read.Open), Is.EqualTo((3, new Instant(99), 1000)));
        Assert.That(read.Descriptors, Is.EqualTo(slice.Descriptors));
        for (int i = 0; i < sent.Length; i++)
        {
            Assert.That(read.Connections[i] with { Record = default, ToBackend = default, ToClient = default }, Is.EqualTo(
                sent[i] with { Record = default, ToBackend = default, ToClient = default }));
            Assert.That(read.Connections[i].Record.ToArray(), Is.EqualTo(sent[i].Record.ToArray()));
            Assert.That(read.Connections[i].ToBackend.ToArray(), Is.EqualTo(sent[i].ToBackend.ToArray()));
        }
    }

    [Test]
    public void A_connection_that_cannot_be_understood_does_not_keep_the_others()
    {
        // As a later version would send it: the second has a field that must be understood.
        var fields = new UpgradeFieldWriter();
        fields.Add(1, 1).Add(2, 0).Add(3, 3);
        for (int i = 0; i < 3; i++)
        {
            var one = new UpgradeConnection((ulong)i, default) { Client = -1, Backend = -1 };
            byte[] bytes = i == 1
                ? [.. one.Write(), .. new UpgradeFieldWriter().Add(UpgradeFieldWriter.Mandatory | 77, 1).Written.Span] : one.Write().ToArray();
            fields.Add(5, 2).Add(4, bytes);
        }

        using var message = new UpgradeMessage(UpgradeMessageKind.Slice, fields.Written, [-10, -11, -12, -13, -14, -15], false);
        UpgradeSlice read = UpgradeSlice.Read(message, out string? refused);
        Assert.That(read.Connections.Select(c => (c.Id, c.Client, c.Backend)), Is.EqualTo(new[] { (0UL, -10, -11), (2UL, -14, -15) }));
        Assert.That(refused, Does.Contain("must know"));
    }

    [Test]
    public void A_slice_without_descriptors_has_no_connections_and_says_why()
    {
        var slice = new UpgradeSlice(1, default, 1, [new UpgradeConnection(1, default)]);
        using var message = new UpgradeMessage(UpgradeMessageKind.Slice, slice.Write(), [], lacksDescriptors: true);
        Assert.That(UpgradeSlice.Read(message, out string? refused).Connections, Is.Empty);
        Assert.That(refused, Does.Contain("no descriptors left"));
    }

    [Test]
    public void Answers_commits_and_the_rest_are_read_as_they_were_written()
    {
        var answer = new SliceAnswer(4, new HashSet<ulong> { 1, ulong.MaxValue }, "why") { Longest = TimeSpan.FromMilliseconds(3), Moved = 5, Lost = 6 };
        SliceAnswer read = SliceAnswer.Read(answer.Write().Span);
        Assert.That(read.Taken, Is.EquivalentTo(answer.Taken));
        Assert.That(read with { Taken = answer.Taken }, Is.EqualTo(answer));

        var commit = new UpgradeCommit(4, [new RequestedClose(9, CloseReason.Drain), new RequestedClose(10, CloseReason.Shutdown)]);
        Assert.That(UpgradeCommit.Read(commit.Write().Span).Closes, Is.EqualTo(commit.Closes));

        UpgradeRest rest = UpgradeRest.Read(new UpgradeRest(new byte[] { 1 }, 8) { Reloads = 2, ReloadAskedBy = "SIGHUP" }.Write().Span);
        Assert.That(
            (rest.Image.ToArray(), rest.Stayed, rest.Reloads, rest.ReloadAskedBy), Is.EqualTo((new byte[] { 1 }, 8, 2, "SIGHUP")));
    }

    [Test]
    public void Bytes_that_are_no_message_are_refused_and_never_read_beyond()
    {
        byte[] whole = Hello.Write().ToArray();
        for (int length = 0; length < whole.Length; length++)
        {
            byte[] cut = whole[..length];
            Refused(() => UpgradeHello.Read(cut));
        }

        var random = new Random(17);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] bytes = new byte[random.Next(64)];
            random.NextBytes(bytes);
            using var message = new UpgradeMessage(UpgradeMessageKind.State, bytes, [], false);
            Refused(() => UpgradeState.Read(message));
            Refused(() => UpgradeSlice.Read(message, out _));
            Refused(() => UpgradePreparation.Read(bytes));
            Refused(() => SliceAnswer.Read(bytes));
            Refused(() => UpgradeCommit.Read(bytes));
        }
    }

    // Bytes may happen to be a message; another exception fails the test.
    private static void Refused(Action read)
    {
        try
        {
            read();
        }
        catch (UpgradeException)
        {
            // As it should be.
        }
    }

    private static UpgradeMessage Message(UpgradeSlice slice, ReadOnlyMemory<byte> body) =>
        new(UpgradeMessageKind.Slice, body, [.. slice.Descriptors], lacksDescriptors: false);
}
