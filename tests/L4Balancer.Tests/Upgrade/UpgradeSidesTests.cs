using System.Runtime.Versioning;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Linux;
using L4Balancer.Upgrade;

namespace L4Balancer.Tests.Upgrade;

/// <summary>
/// Both sides of an upgrade over a pair of sockets in one process; and each against the other's messages, which stop where the test says. A process
/// that ends is a channel that ends.
/// </summary>
[SupportedOSPlatform("linux")]
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class UpgradeSidesTests : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private static readonly UpgradeHello NewHello = new() { Build = "new", Process = 2, DescriptorLimit = 1000 };

    private readonly UpgradeLimits _limits = new();
    private readonly UpgradeChannel _old;
    private readonly UpgradeChannel _new;
    private readonly UpgradeRun _run = new(new UpgradeProgress("run", "the test", DateTimeOffset.UnixEpoch), TimeProvider.System);
    private readonly FakeTaker _taker = new();
    private FakeGiver? _giver;

    public UpgradeSidesTests()
    {
        PacketPair one = PacketPair.TryCreate(out int other, out _)!;
        _old = new UpgradeChannel(one) { Other = "the new process" };
        _new = new UpgradeChannel(PacketPair.Own(other)) { Other = "the old process" };
    }

    public void Dispose()
    {
        _old.Dispose();
        _new.Dispose();
        _giver?.Dispose();
    }

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(126)]
    [TestCase(127)]
    [TestCase(1000)]
    public async Task All_connections_go_over_and_each_to_one_process(int count)
    {
        FakeGiver giver = _giver = new FakeGiver(count);
        Task<UpgradeState> newSide = RunNewAsync(_taker, out NewSide side);
        OldSide old = Old(giver);
        await Task.Run(old.Move).WaitAsync(Limit);
        await old.FinishAsync(CancellationToken.None);
        UpgradeState state = await newSide.WaitAsync(Limit);

        Assert.That(_taker.Here, Is.EquivalentTo(Enumerable.Range(1, count).Select(i => (ulong)i)));
        Assert.That(giver.Here, Is.Empty);
        Assert.That(giver.Steps, Is.EqualTo(new[] { "suspend", "stop accepting", "main 2" }));
        Assert.That(_taker.Steps, Is.EqualTo(new[] { "add 3", "add 3", "main", "add 3" }));
        Assert.That(_taker.Closes.Select(c => c.Id), Is.EqualTo(count >= 2 ? new[] { 2UL } : []), "a close that met a connection while it stood still");
        Assert.That(state.Image.ToArray(), Is.EqualTo(new byte[] { 2 }));
        Assert.That(state.Sockets.Select(s => (s.Part, s.Name)), Is.EqualTo(new[] { (UpgradeSocket.Listener, "wss") }));
        Assert.That(_run.Now, Is.EqualTo(_run.Now with { Step = UpgradeStep.Succeeded, Moved = count, Left = 0, Lost = 0, Fault = null }));
        Assert.That(side.Run!.Now, Is.EqualTo(side.Run.Now with { Id = "run", Step = UpgradeStep.Succeeded, Moved = count, Left = 0, OldProcess = 1 }));
        Assert.That(count == 0 || _run.Now.Longest > TimeSpan.Zero);
    }

    [Test]
    public async Task A_connection_that_is_being_set_up_goes_over_once_it_is_established()
    {
        FakeGiver giver = _giver = new FakeGiver(3) { EstablishedAfter = 4 };
        Task newSide = RunNewAsync(_taker, out _);
        OldSide old = Old(giver);
        await Task.Run(old.Move).WaitAsync(Limit);
        await old.FinishAsync(CancellationToken.None);
        await newSide.WaitAsync(Limit);
        Assert.That(_taker.Here, Is.EquivalentTo(new[] { 1UL, 2UL, 3UL, 1_000_000UL }));
    }

    [Test]
    public async Task What_the_new_process_does_not_understand_stays_with_the_old_one()
    {
        FakeGiver giver = _giver = new FakeGiver(500);
        var taker = new FakeTaker { Refuses = id => id % 3 == 0 };
        Task newSide = RunNewAsync(taker, out NewSide side);
        OldSide old = Old(giver);
        await Task.Run(old.Move).WaitAsync(Limit);
        using var end = new CancellationTokenSource();
        await end.CancelAsync();
        await old.FinishAsync(end.Token);
        await newSide.WaitAsync(Limit);
        Assert.That(giver.Here, Is.EquivalentTo(Enumerable.Range(1, 500).Where(i => i % 3 == 0).Select(i => (ulong)i)));
        Assert.That(giver.IsFrozen, Is.False);
        Assert.That(taker.Here, Has.Count.EqualTo(500 - giver.Here.Count));
        Assert.That(_run.Now.Fault, Is.EqualTo("it is not understood"));
        Assert.That(side.Run!.Now.Left, Is.EqualTo(giver.Here.Count));
    }

    [Test]
    public async Task What_finds_no_place_in_the_new_process_stays_with_the_old_one()
    {
        FakeGiver giver = _giver = new FakeGiver(5);
        var taker = new FakeTaker { WithoutPlace = [2, 4] };
        Task newSide = RunNewAsync(taker, out _);
        OldSide old = Old(giver);
        await Task.Run(old.Move).WaitAsync(Limit);
        giver.End();
        await old.FinishAsync(CancellationToken.None);
        await newSide.WaitAsync(Limit);
        Assert.That(taker.Here, Is.EquivalentTo(new ulong[] { 1, 3, 5 }));
        Assert.That((_run.Now.Moved, _run.Now.Fault), Is.EqualTo((3, "no place")));
    }

    [Test]
    public async Task A_reload_that_was_held_back_is_done_once_by_the_new_process()
    {
        FakeGiver giver = _giver = new FakeGiver(3);
        Task newSide = RunNewAsync(_taker, out _);
        var held = new HeldReloads(1, "SIGHUP");
        var old = new OldSide(giver, _old, _run, UpgradeFaults.None, _limits, TimeProvider.System) { Reloads = () => held };
        await Task.Run(old.Move).WaitAsync(Limit);
        held = new HeldReloads(2, "somebody");
        await old.FinishAsync(CancellationToken.None);
        await newSide.WaitAsync(Limit);
        Assert.That(_taker.Steps, Is.EqualTo(new[] { "add 3", "reload SIGHUP", "add 3", "main", "add 3", "reload somebody" }));
    }

    [Test]
    public async Task A_new_process_that_is_to_stop_after_it_has_settled_does_not_give_up()
    {
        Task newSide = RunNewAsync(_taker, out _);
        await Task.Run(() => LeadTo([1, 2], commit: true)).WaitAsync(Limit);
        ReadOnlyMemory<byte> rest = new UpgradeRest(new byte[] { 3 }, 0).Write();
        _old.Send(UpgradeMessageKind.Rest, rest, Limit);
        _old.Receive(UpgradeMessageKind.Settled, Limit).Dispose();
        _taker.WhyNot = "it is stopping";
        _old.Send(UpgradeMessageKind.Rest, rest, Limit);
        _old.Send(UpgradeMessageKind.Done, rest, Limit);
        await newSide.WaitAsync(Limit);
        Assert.That(_taker.Steps, Does.Contain("main"));
    }

    [Test]
    public void A_process_that_may_open_too_few_descriptors_is_told_from_the_start()
    {
        FakeGiver giver = _giver = new FakeGiver(1) { DescriptorsNeeded = 1001 };
        _ = RunNewAsync(_taker, out _);
        Assert.That(() => Old(giver).Move(), Throws.TypeOf<UpgradeException>().With.Message.Contains("1000 descriptors and 1001"));
        Assert.That(giver.Steps, Is.Empty);
    }

    [TestCase(UpgradeMessageKind.Hello)]
    [TestCase(UpgradeMessageKind.Prepared)]
    [TestCase(UpgradeMessageKind.Serving)]
    [TestCase(UpgradeMessageKind.Answer)]
    public async Task The_old_process_keeps_everything_if_the_new_one_ends_before_its(UpgradeMessageKind kind)
    {
        FakeGiver giver = _giver = new FakeGiver(300);
        _ = Task.Run(() => AnswerUntil(kind));
        OldSide old = Old(giver);
        UpgradePeerEndedException? fault = null;
        await Task.Run(() => fault = Assert.Throws<UpgradePeerEndedException>(old.Move)).WaitAsync(Limit);
        Assert.That(fault!.Message, Is.EqualTo("the new process has ended"));
        Assert.That(giver.Here, Has.Count.EqualTo(300));
        Assert.That((giver.IsFrozen, old.HasMoved, old.HasGivenUp), Is.EqualTo((false, false, false)));
    }

    [Test]
    public async Task A_new_process_that_hangs_costs_no_more_than_the_time_for_an_answer()
    {
        FakeGiver giver = _giver = new FakeGiver(300);
        _ = Task.Run(() => AnswerUntil(UpgradeMessageKind.Answer, hangs: true));
        OldSide old = Old(giver, _limits with { Answer = TimeSpan.FromMilliseconds(100) });
        await Task.Run(() => Assert.Throws<UpgradeSilenceException>(old.Move)).WaitAsync(Limit);
        Assert.That((giver.IsFrozen, giver.Here.Count), Is.EqualTo((false, 300)));
    }

    [Test]
    public async Task After_a_slice_was_committed_only_the_rest_is_still_in_the_old_process()
    {
        FakeGiver giver = _giver = new FakeGiver(300);
        _ = Task.Run(() => AnswerUntil(UpgradeMessageKind.Answer, count: 1));
        OldSide old = Old(giver);
        await Task.Run(() => Assert.Throws<UpgradePeerEndedException>(old.Move)).WaitAsync(Limit);
        Assert.That((giver.IsFrozen, old.HasMoved, giver.Here.Count), Is.EqualTo((false, true, 300 - OldSide.MostInSlice)));
    }

    [TestCase(false, new ulong[] { 1, 2 })]
    [TestCase(true, new ulong[0])]
    public async Task Between_answer_and_commit_the_connections_are_served_unless_the_old_process_lives(bool lives, ulong[] served)
    {
        using System.Diagnostics.Process process = System.Diagnostics.Process.Start("sleep", "600");
        _new.Peer = WatchedProcess.TryOpen(process.Id);
        Task newSide = RunNewAsync(_taker, out _, _limits with { Answer = TimeSpan.FromMilliseconds(200) });
        await Task.Run(() => LeadTo([1, 2], commit: false)).WaitAsync(Limit);
        if (lives)
        {
            _old.TrySendFault("it is stopping");
        }
        else
        {
            process.Kill();
        }

        await newSide.WaitAsync(Limit);
        process.Kill();
        Assert.That(_taker.Here, Is.EqualTo(served));
        Assert.That(_taker.Steps, Is.EqualTo(new[] { lives ? "let go 2" : "alone" }));
    }

    [Test]
    public async Task An_old_process_that_is_silent_after_the_answer_is_ended_so_that_one_process_has_the_connections()
    {
        using System.Diagnostics.Process process = System.Diagnostics.Process.Start("sleep", "600");
        _new.Peer = WatchedProcess.TryOpen(process.Id);
        Task newSide = RunNewAsync(_taker, out _, _limits with { Commit = TimeSpan.FromMilliseconds(100) });
        await Task.Run(() => LeadTo([1, 2], commit: false)).WaitAsync(Limit);
        await process.WaitForExitAsync().WaitAsync(Limit);
        await newSide.WaitAsync(Limit);
        Assert.That(_taker.Here, Is.EqualTo(new ulong[] { 1, 2 }));
        Assert.That(_taker.Steps, Is.EqualTo(new[] { "alone" }));
    }

    [Test]
    public async Task A_channel_that_ends_before_the_commit_leaves_the_connections_alone_until_the_old_process_has_ended()
    {
        using System.Diagnostics.Process process = System.Diagnostics.Process.Start("sleep", "600");
        _new.Peer = WatchedProcess.TryOpen(process.Id);
        Task newSide = RunNewAsync(_taker, out _, _limits with { Answer = TimeSpan.FromMilliseconds(50) });
        await Task.Run(() => LeadTo([1, 2], commit: false)).WaitAsync(Limit);
        _old.Shut();
        await Task.WhenAny(newSide, Task.Delay(TimeSpan.FromMilliseconds(300)));
        bool decided = newSide.IsCompleted;
        process.Kill();
        await newSide.WaitAsync(Limit);
        Assert.That(decided, Is.False);
        Assert.That(_taker.Here, Is.EqualTo(new ulong[] { 1, 2 }));
        Assert.That(_taker.Steps, Is.EqualTo(new[] { "alone" }));
    }

    [Test]
    public async Task A_stop_in_the_middle_of_a_commit_lets_it_be_sent()
    {
        FakeGiver giver = _giver = new FakeGiver(300);
        _ = RunNewAsync(_taker, out _);
        OldSide old = Old(giver);
        giver.Committing = old.Stop;
        UpgradeException? fault = null;
        await Task.Run(() => fault = Assert.Throws<UpgradeException>(old.Move)).WaitAsync(Limit);
        Assert.That(fault!.Message, Is.EqualTo("this process is stopping"));
        Assert.That((old.IsInDoubt, old.HasGivenUp, giver.Here.Count), Is.EqualTo((false, false, 300 - OldSide.MostInSlice)));
        Assert.That(() => _taker.Here.Count, Is.EqualTo(OldSide.MostInSlice).After(10_000, 20));
    }

    [Test]
    public async Task A_fault_in_the_middle_of_a_commit_is_known_so_that_the_new_process_is_ended_without_a_word()
    {
        FakeGiver giver = _giver = new FakeGiver(300) { Committing = static () => throw new InvalidOperationException("no") };
        _ = RunNewAsync(_taker, out _);
        OldSide old = Old(giver);
        await Task.Run(() => Assert.Throws<InvalidOperationException>(old.Move)).WaitAsync(Limit);
        Assert.That((old.IsInDoubt, old.HasGivenUp, old.Given.Count), Is.EqualTo((true, false, OldSide.MostInSlice)));
    }

    [Test]
    public async Task The_old_process_is_the_main_one_until_the_new_one_says_that_it_has_settled()
    {
        FakeGiver giver = _giver = new FakeGiver(300);
        _ = Task.Run(() => AnswerUntil(UpgradeMessageKind.Answer, hangs: true, count: 1000));
        OldSide old = Old(giver, _limits with { Serve = TimeSpan.FromSeconds(2) });
        await Task.Run(() => Assert.Throws<UpgradeSilenceException>(old.Move)).WaitAsync(Limit);
        Assert.That((old.HasGivenUp, giver.Here.Count), Is.EqualTo((false, 0)));
        Assert.That(giver.Steps, Is.EqualTo(new[] { "suspend", "stop accepting" }));
    }

    [Test]
    public async Task Connections_that_stayed_end_in_their_time_also_if_the_new_process_has_ended_meanwhile()
    {
        FakeGiver giver = _giver = new FakeGiver(3);
        _ = RunNewAsync(new FakeTaker { Refuses = id => id == 3 }, out _);
        OldSide old = Old(giver, _limits with { Report = TimeSpan.Zero });
        await Task.Run(old.Move).WaitAsync(Limit);
        _new.Shut();
        Task finishing = old.FinishAsync(CancellationToken.None);
        await Task.WhenAny(finishing, Task.Delay(TimeSpan.FromMilliseconds(300)));
        Assert.That((finishing.IsCompleted, old.Given.Count), Is.EqualTo((false, 0)));
        giver.End();
        await finishing.WaitAsync(Limit);
    }

    [Test]
    public async Task A_stop_after_the_new_process_is_the_main_one_still_tells_it_the_last_differences()
    {
        FakeGiver giver = _giver = new FakeGiver(3);
        var taker = new FakeTaker { Refuses = id => id == 3 };
        Task newSide = RunNewAsync(taker, out _);
        OldSide old = Old(giver);
        await Task.Run(old.Move).WaitAsync(Limit);
        old.Stop();
        using var end = new CancellationTokenSource();
        await end.CancelAsync();
        await old.FinishAsync(end.Token);
        await newSide.WaitAsync(Limit);
        Assert.That(taker.Steps, Is.EqualTo(new[] { "add 3", "add 3", "main", "add 3" }));
    }

    [Test]
    public async Task A_new_process_that_is_stopping_takes_nothing_and_the_old_one_goes_on()
    {
        FakeGiver giver = _giver = new FakeGiver(300);
        _taker.WhyNot = "it is stopping";
        _ = RunNewAsync(_taker, out _, _limits with { Answer = TimeSpan.FromMilliseconds(50) });
        OldSide old = Old(giver);
        UpgradeException? fault = null;
        await Task.Run(() => fault = Assert.Throws<UpgradeException>(old.Move)).WaitAsync(Limit);
        Assert.That(fault!.Message, Is.EqualTo("the new process gave up: it is stopping"));
        Assert.That((giver.IsFrozen, giver.Here.Count, _taker.Here.Count), Is.EqualTo((false, 300, 0)));
    }

    [Test]
    public async Task What_stayed_in_an_old_process_that_is_killed_at_last_is_recovered()
    {
        using System.Diagnostics.Process process = System.Diagnostics.Process.Start("sleep", "600");
        _new.Peer = WatchedProcess.TryOpen(process.Id);
        Task newSide = RunNewAsync(_taker, out _);
        await Task.Run(() => LeadTo([1, 2], commit: true)).WaitAsync(Limit);
        ReadOnlyMemory<byte> rest = new UpgradeRest(new byte[] { 3 }, 1).Write();
        _old.Send(UpgradeMessageKind.Rest, rest, Limit);
        _old.Receive(UpgradeMessageKind.Settled, Limit).Dispose();
        Assert.That(_taker.Steps, Is.EqualTo(new[] { "add 3" }), "not the main process before the manager knows it");
        _old.Send(UpgradeMessageKind.Rest, rest, Limit);
        process.Kill();
        await newSide.WaitAsync(Limit);
        Assert.That(_taker.Steps, Is.EqualTo(new[] { "add 3", "add 3", "main", "recover" }));
    }

    [TestCase("", "")]
    [TestCase("old.sent:kill", "old.sent:kill")]
    [TestCase("new.slice@2:stop", "new.slice@2:stop")]
    [TestCase("new.taken@2:term", "new.taken@2:term")]
    [TestCase("new.hello:other-version", "new.hello:other-version")]
    [TestCase("old.sent", null)]
    [TestCase("old.sent:burn", null)]
    [TestCase("old.sent:other-version", null)]
    [TestCase("old.nowhere:kill", null)]
    [TestCase("old.sent@x:kill", null)]
    public void A_fault_on_demand_is_one_that_there_is(string text, string? understood) =>
        Assert.That(UpgradeFaults.Parse(text)?.ToString(), Is.EqualTo(understood));

    private OldSide Old(FakeGiver giver, UpgradeLimits? limits = null) =>
        new(giver, _old, _run, UpgradeFaults.None, limits ?? _limits, TimeProvider.System);

    private Task<UpgradeState> RunNewAsync(FakeTaker taker, out NewSide side, UpgradeLimits? limits = null)
    {
        NewSide own = side = new NewSide(_new, UpgradeFaults.None, limits ?? _limits, TimeProvider.System);
        return Task.Run(() =>
        {
            own.Greet(NewHello);
            own.Prepare();
            UpgradeState state = own.Prepared();
            UpgradeSlice.Close(state.Sockets.Select(s => s.Descriptor));
            own.Serving();
            own.Follow(taker);
            return state;
        });
    }

    /// <summary>A new process that does as it should, and ends instead of sending this.</summary>
    private void AnswerUntil(UpgradeMessageKind last, bool hangs = false, int count = 0)
    {
        _new.Receive(UpgradeMessageKind.Hello, Limit).Dispose();
        if (last != UpgradeMessageKind.Hello)
        {
            _new.Send(UpgradeMessageKind.Hello, NewHello.Write(), Limit);
            _new.Receive(UpgradeMessageKind.Prepare, Limit).Dispose();
            if (last != UpgradeMessageKind.Prepared)
            {
                _new.Send(UpgradeMessageKind.Prepared, default, Limit);
                _new.Receive(UpgradeMessageKind.State, Limit).Dispose();
                if (last != UpgradeMessageKind.Serving)
                {
                    _new.Send(UpgradeMessageKind.Serving, default, Limit);
                    Answer(count);
                }
            }
        }

        if (!hangs)
        {
            _new.Shut();
        }
    }

    private void Answer(int count)
    {
        for (int i = 0; ; i++)
        {
            using UpgradeMessage message = _new.Receive(UpgradeMessageKind.Slice, Limit);
            UpgradeSlice slice = UpgradeSlice.Read(message, out _);
            UpgradeSlice.Close(slice.Descriptors);
            if (i > count || (i == count && slice.Connections.Count > 0))
            {
                return;
            }

            i -= slice.Connections.Count == 0 ? 1 : 0;
            _new.Send(UpgradeMessageKind.Answer, new SliceAnswer(slice.Number, slice.Connections.Select(c => c.Id).ToHashSet(), "").Write(), Limit);
            _new.Receive(UpgradeMessageKind.Commit, Limit).Dispose();
        }
    }

    /// <summary>An old process that leads the new one as far as the answer to a slice.</summary>
    private void LeadTo(ulong[] ids, bool commit)
    {
        using FileStream file = File.OpenRead("/dev/null");
        int descriptor = (int)file.SafeFileHandle.DangerousGetHandle();
        _old.Send(UpgradeMessageKind.Hello, (NewHello with { Process = 1 }).Write(), Limit);
        _old.Receive(UpgradeMessageKind.Hello, Limit).Dispose();
        _old.Send(UpgradeMessageKind.Prepare, new UpgradePreparation("run", "the test", DateTimeOffset.UnixEpoch, default).Write(), Limit);
        _old.Receive(UpgradeMessageKind.Prepared, Limit).Dispose();
        _old.Send(UpgradeMessageKind.State, new UpgradeState(default, []).Write(), Limit);
        _old.Receive(UpgradeMessageKind.Serving, Limit).Dispose();
        var slice = new UpgradeSlice(
            1, Instant.Now(TimeProvider.System), 2, [.. ids.Select(id => new UpgradeConnection(id, default) { Client = descriptor, Backend = descriptor })]);
        _old.Send(UpgradeMessageKind.Slice, slice.Write().Span, slice.Descriptors, Limit);
        _old.Receive(UpgradeMessageKind.Answer, Limit).Dispose();
        if (commit)
        {
            _old.Send(UpgradeMessageKind.Commit, new UpgradeCommit(1, []).Write(), Limit);
        }
    }
}
