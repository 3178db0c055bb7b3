using L4Balancer.Configuration;
using Microsoft.Extensions.Time.Testing;

namespace L4Balancer.Tests.Configuration;

internal sealed class ConfigSourceTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Test]
    public async Task A_read_that_hangs_fails_after_its_time_and_what_it_brings_later_is_dropped()
    {
        var clock = new FakeTimeProvider();
        var hangs = new TaskCompletionSource();
        using var returned = new SemaphoreSlim(0);
        bool known = false;
        var source = new ConfigSource(
            "/etc/some.toml",
            givenUp =>
            {
                hangs.Task.Wait(CancellationToken.None);
                known = givenUp.IsCancellationRequested;
                returned.Release();
                return ReadConfig.Failed("late", "late");
            },
            clock);

        Task<ReadConfig> reading = source.ReadAsync(CancellationToken.None);
        clock.Advance(ConfigSource.Within - TimeSpan.FromTicks(1));
        Assert.That(reading.IsCompleted, Is.False);
        clock.Advance(TimeSpan.FromTicks(1));
        ReadConfig read = await reading.WaitAsync(Patience);
        Assert.That(read.File.Config, Is.Null);
        Assert.That(read.File.Errors, Is.EqualTo(new[]
        {
            "/etc/some.toml: could not be read within 30s: check its file system, or the writing process if it is a pipe",
        }));

        hangs.SetResult();
        Assert.That(await returned.WaitAsync(Patience), Is.True);
        Assert.That(known, Is.True, "the read can find that nobody waits for it");
        Assert.That((await source.ReadAsync(CancellationToken.None).WaitAsync(Patience)).File.Errors, Is.EqualTo(new[] { "late" }), "a new read");
    }

    [Test]
    public async Task Reads_that_hang_are_few()
    {
        var clock = new FakeTimeProvider();
        var hangs = new TaskCompletionSource();
        using var began = new SemaphoreSlim(0);
        var source = new ConfigSource(
            "/etc/some.toml",
            _ =>
            {
                began.Release();
                hangs.Task.Wait(CancellationToken.None);
                return ReadConfig.Failed("p", "read");
            },
            clock);
        for (int i = 0; i < ConfigSource.MostHanging; i++)
        {
            Task<ReadConfig> reading = source.ReadAsync(CancellationToken.None);
            Assert.That(await began.WaitAsync(Patience), Is.True);
            clock.Advance(ConfigSource.Within);
            Assert.That((await reading.WaitAsync(Patience)).File.Errors, Has.Exactly(1).Contains("within 30s"));
        }

        ReadConfig refused = await source.ReadAsync(CancellationToken.None).WaitAsync(Patience);
        Assert.That(refused.File.Errors, Has.Exactly(1).Contains("4 earlier reads are still blocked"));
        hangs.SetResult();
    }

    [Test]
    public void Who_stops_waits_for_no_read()
    {
        var hangs = new TaskCompletionSource();
        using var stop = new CancellationTokenSource();
        var source = new ConfigSource(
            "/etc/some.toml",
            _ =>
            {
                hangs.Task.Wait(CancellationToken.None);
                return ReadConfig.Failed("p", "read");
            },
            new FakeTimeProvider());

        Task<ReadConfig> reading = source.ReadAsync(stop.Token);
        stop.Cancel();
        Assert.That(async () => await reading.WaitAsync(Patience), Throws.InstanceOf<OperationCanceledException>());
        hangs.SetResult();
    }
}
