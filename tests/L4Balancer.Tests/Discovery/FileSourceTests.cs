using L4Balancer.Core.Addressing;
using L4Balancer.Core.Discovery;
using L4Balancer.Discovery;
using Microsoft.Extensions.Time.Testing;

namespace L4Balancer.Tests.Discovery;

/// <summary>When the source <c>file</c> reads its file, with a clock of the test.</summary>
[CancelAfter(60_000)]
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
[Parallelizable(ParallelScope.All)]
internal sealed class FileSourceTests : IDisposable
{
    private const string One = "10.0.0.1:80*100";
    private const string Two = $"{One} 10.0.0.2:80*100";
    private const string Three = $"{Two} 10.0.0.3:80*100";

    private static readonly TimeSpan Again = TimeSpan.FromSeconds(10);

    private readonly BackendsToml _file = new();
    private readonly LookClock _clock = new();

    public void Dispose() => _file.Dispose();

    [Test]
    public async Task A_file_that_still_changes_is_not_read()
    {
        await WriteAsync(1);
        await using SourceLog seen = await WatchAsync();
        Assert.That(seen.Sets, Is.EqualTo([One]), "the first look reads at once");

        await WriteAsync(2);
        await LookAsync();
        await WriteAsync(3);
        await LookAsync();
        Assert.That(seen.Sets, Is.EqualTo([One]));

        await LookAsync();
        await LookAsync();
        Assert.That(seen.Sets, Is.EqualTo([One, Three]), "once, when two looks have found the same");
        Assert.That(seen.Faults, Is.Empty);
    }

    [Test]
    public async Task A_file_that_does_not_change_is_read_again_after_the_interval()
    {
        await WriteAsync(2);
        await using SourceLog seen = await WatchAsync();
        int looks = 0;
        for (; seen.Sets.Count < 2; looks++)
        {
            await LookAsync();
        }

        Assert.That(looks * FileSource.BetweenLooks, Is.InRange(Again, Again + FileSource.BetweenLooks));
        Assert.That(seen.Sets, Is.EqualTo([Two, Two]));
    }

    [Test]
    public async Task A_file_that_is_missing_or_has_a_mistake_is_unknown_and_the_next_one_is_read()
    {
        await using SourceLog seen = await WatchAsync();
        Assert.That(seen.Faults, Is.EqualTo([$"{_file.Path}: no such file"]));

        await _file.WriteAsync("[[backends]]\naddress = \"10.0.");
        await LookAsync();
        await LookAsync();
        Assert.That(seen.Faults, Has.Count.EqualTo(2));
        Assert.That(seen.Faults[1], Does.StartWith($"{_file.Path}: 2:11: "));

        await WriteAsync(1);
        await LookAsync();
        await LookAsync();
        Assert.That(seen.Sets, Is.EqualTo([One]));

        File.Delete(_file.Path);
        await LookAsync();
        Assert.That((seen.Faults.Count, seen.Faults[^1], seen.Sets.Count), Is.EqualTo((3, $"{_file.Path}: no such file", 1)));
    }

    private Task WriteAsync(int count) => _file.WriteAsync(
        [.. Enumerable.Range(1, count).Select(static i => new DiscoveredBackend(new Endpoint(HostAddress.FromV4(0x0A00_0000u + (uint)i), 80)))]);

    private async Task<SourceLog> WatchAsync()
    {
        var seen = new SourceLog(new FileSource(_file.Path, Again, _clock));
        await LookedAsync(1);
        return seen;
    }

    // The next look, from its beginning to its end.
    private async Task LookAsync()
    {
        int next = _clock.Looks + 1;
        _clock.Advance(FileSource.BetweenLooks);
        await LookedAsync(next);
    }

    private async Task LookedAsync(int count)
    {
        using var deadline = new CancellationTokenSource(DaemonProcess.Deadline);
        using var looks = new PeriodicTimer(TimeSpan.FromMilliseconds(1));
        while (_clock.Looks < count)
        {
            await looks.WaitForNextTickAsync(deadline.Token);
        }
    }

    /// <summary>Counts the pauses that have begun: a look has ended before each.</summary>
    private sealed class LookClock : FakeTimeProvider
    {
        private int _looks;

        public int Looks => Volatile.Read(ref _looks);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            ITimer timer = base.CreateTimer(callback, state, dueTime, period);
            if (dueTime == FileSource.BetweenLooks)
            {
                Interlocked.Increment(ref _looks);
            }

            return timer;
        }
    }
}
