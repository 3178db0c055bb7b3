using System.Collections.Concurrent;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Discovery;
using L4Balancer.Discovery;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Time.Testing;

namespace L4Balancer.Tests.Discovery;

/// <summary>How one source is run: with a clock of the test, and a source that says what the test says.</summary>
[CancelAfter(60_000)]
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class PoolWatchTests : IAsyncDisposable
{
    private static readonly TimeSpan Hold = TimeSpan.FromSeconds(30);

    private readonly FakeTimeProvider _clock = new();
    private readonly FakeLogger _log = new();
    private readonly ConcurrentQueue<Spoken> _sources = [];
    private readonly PoolWatch _watch;
    private Func<Exception?> _fault = static () => null;
    private int _changes;

    public PoolWatchTests()
    {
        _watch = new PoolWatch(
            "chat", new DiscoverySettings { Kind = DiscoveryKind.File, Hold = Hold }, Belief.Nothing, Create, () => _changes++, _clock, _log);
        _watch.Start();
    }

    public ValueTask DisposeAsync() => _watch.DisposeAsync();

    [Test]
    public async Task A_set_is_believed_and_reported_once()
    {
        Spoken source = await SourceAsync(1);
        source.Say(Of(3));
        source.Say(Of(3));
        await _watch.First;

        Assert.That((_watch.Belief.Count, _changes), Is.EqualTo((3, 1)));
        Assert.That(Logged("3 added, 0 removed, 0 changed"), Is.EqualTo(1));
    }

    [Test]
    public async Task At_the_end_of_the_hold_all_is_read_a_second_time()
    {
        Spoken source = await SourceAsync(1);
        source.Say(Of(3));
        source.Say(Of(0));
        Assert.That(Logged("nothing changes before this has lasted"), Is.EqualTo(1));
        _clock.Advance(Hold + TimeSpan.FromSeconds(1));
        Spoken second = await SourceAsync(2);
        Assert.That(_watch.Belief.Count, Is.EqualTo(3), "the time alone is no reason");

        source.Say(Of(1));
        Assert.That(_watch.Belief.Held!.Set, Is.Empty, "what the watch before says late is not listened to");
        second.Say(Of(0));
        Assert.That((_watch.Belief.Count, _changes), Is.EqualTo((0, 2)));
    }

    [Test]
    public async Task A_set_that_was_held_and_is_back_is_said_once()
    {
        Spoken source = await SourceAsync(1);
        source.Say(Of(3));
        source.Say(Of(0));
        source.Say(Of(3));

        Assert.That((Logged("has the 3 backends again"), _changes), Is.EqualTo((1, 1)));
    }

    [Test]
    public async Task A_fault_is_logged_once_for_each_reason_and_not_too_often()
    {
        Spoken source = await SourceAsync(1);
        source.Say(Of(3));
        for (int i = 0; i < 50; i++)
        {
            source.Say(new SourceReading.Unknown("refused"));
            source.Say(new SourceReading.Unknown($"reason {i}"));
            source.Say(Of(3));
        }

        Assert.That((Logged("says nothing"), Logged("answers again"), _watch.Belief.Faults), Is.EqualTo((1, 1, 100L)));
        _clock.Advance(TimeSpan.FromMinutes(1));
        source.Say(new SourceReading.Unknown("another reason"));
        _clock.Advance(TimeSpan.FromMinutes(1));
        source.Say(new SourceReading.Unknown("another reason"));
        Assert.That((Logged("says nothing: another reason"), _watch.Belief.Count), Is.EqualTo((1, 3)));
    }

    [Test]
    public async Task A_source_that_throws_is_unknown_and_begins_anew_after_a_pause()
    {
        Spoken source = await SourceAsync(1);
        source.Say(Of(3));
        source.End(new InvalidOperationException("of the test"));
        await UntilAsync(() => _watch.Belief.Faults == 1);
        Assert.That(_watch.Belief.Fault, Is.EqualTo("the watch has failed: of the test"));

        await AdvanceUntilAsync(() => _sources.Count == 2);
        Spoken second = await SourceAsync(2);
        Assert.That(second.MadeAt - source.MadeAt, Is.GreaterThanOrEqualTo(TimeSpan.FromSeconds(1)));
        second.Say(Of(4));
        Assert.That((_watch.Belief.Count, _watch.Belief.Fault), Is.EqualTo((4, "")));
    }

    [Test]
    public async Task One_that_ends_by_itself_or_cannot_be_made_has_failed_too()
    {
        (await SourceAsync(1)).End(null);
        await UntilAsync(() => _watch.Belief.Fault == "the watch has ended");
        _fault = static () => new NotSupportedException("not built");
        await AdvanceUntilAsync(() => _watch.Belief.Fault == "the watch has failed: not built");
        _fault = static () => null;
        await AdvanceUntilAsync(() => _sources.Count == 2);
    }

    private int Logged(string text) => _log.Collector.GetSnapshot().Count(l => l.Message.Contains(text, StringComparison.Ordinal));

    private async Task<Spoken> SourceAsync(int count)
    {
        await UntilAsync(() => _sources.Count == count && _sources.Last().IsWatched);
        return _sources.Last();
    }

    private static Task UntilAsync(Func<bool> condition) => AdvanceUntilAsync(condition, static () => { });

    private Task AdvanceUntilAsync(Func<bool> condition) => AdvanceUntilAsync(condition, () => _clock.Advance(TimeSpan.FromSeconds(1)));

    private static async Task AdvanceUntilAsync(Func<bool> condition, Action between)
    {
        using var deadline = new CancellationTokenSource(DaemonProcess.Deadline);
        using var looks = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        while (!condition())
        {
            between();
            await looks.WaitForNextTickAsync(deadline.Token);
        }
    }

    private Spoken Create()
    {
        if (_fault() is { } fault)
        {
            throw fault;
        }

        var source = new Spoken { MadeAt = _clock.GetUtcNow() };
        _sources.Enqueue(source);
        return source;
    }

    private static SourceReading.Complete Of(int count) => new SourceReading.Complete(
        [.. Enumerable.Range(1, count).Select(i => new DiscoveredBackend(new Endpoint(HostAddress.FromV4(0x0A00_0000u + (uint)i), 80)))], "v");

    /// <summary>Reports what it is given.</summary>
    private sealed class Spoken : IBackendSource
    {
        private readonly TaskCompletionSource _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private volatile Action<SourceReading>? _report;

        public bool IsWatched => _report is not null;

        public DateTimeOffset MadeAt { get; init; }

        public Task WatchAsync(Action<SourceReading> report, CancellationToken stop)
        {
            _report = report;
            return _end.Task.WaitAsync(stop);
        }

        public void Say(SourceReading reading) => _report!(reading);

        public void End(Exception? fault)
        {
            _ = fault is null ? _end.TrySetResult() : _end.TrySetException(fault);
        }
    }
}
