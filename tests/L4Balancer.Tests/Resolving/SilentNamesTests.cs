using System.Collections.Concurrent;
using L4Balancer.Core.Addressing;
using L4Balancer.Resolving;
using Microsoft.Extensions.Time.Testing;

namespace L4Balancer.Tests.Resolving;

/// <summary>Names of a name server that does not answer, beside names of one that does; on a clock and with look-ups that a test drives.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class SilentNamesTests
{
    private const string Good = "good.test";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly LookUp NoAnswer = new([], "no name server answers");
    private static readonly LookUp Address = new([HostAddress.FromV4(0x0A00_0001)], "");

    private readonly ConcurrentQueue<string> _asked = new();
    private readonly FakeTimeProvider _clock = new();
    private volatile bool _serverIsBack;
    private volatile bool _failsAtOnce;
    private int _releases;
    private int _hanging;
    private int _mostHanging;

    [TearDown]
    public void End()
    {
        // What still hangs ends.
        _serverIsBack = true;
        Release(10_000);
    }

    [Test]
    public async Task A_new_name_behind_forty_of_a_silent_server_is_resolved_within_a_second()
    {
        using NameResolver names = Resolver();
        DateTimeOffset began = _clock.GetUtcNow();
        Task first = names.AddAsync([.. Silent(40), Good]);
        await UntilAsync(() => _hanging == 16);
        Assert.That(names.Answers, Is.Empty);
        _clock.Advance(LookUpLane.HangsAfter);
        await UntilAsync(() => _hanging == 32);
        _clock.Advance(LookUpLane.HangsAfter);

        await UntilAsync(() => names.Answers.ContainsKey(Good));
        Assert.That(_clock.GetUtcNow() - began, Is.LessThanOrEqualTo(TimeSpan.FromSeconds(1)));
        Assert.That(first.IsCompleted, Is.False);
    }

    [Test]
    public async Task What_answered_last_time_is_looked_up_before_new_names()
    {
        using NameResolver names = Resolver();
        await names.AddAsync([Good]).WaitAsync(Patience);
        _asked.Clear();
        _ = names.AddAsync([.. Silent(NameResolver.MostAtOnce)]);
        await UntilAsync(() => _hanging == NameResolver.MostAtOnce);

        // No thread is free. Of what waits, the name that has answered comes first.
        _ = names.AddAsync([.. Silent(40), Good]);
        Assert.That(_asked, Has.Count.EqualTo(NameResolver.MostAtOnce));
        _clock.Advance(LookUpLane.HangsAfter);
        await UntilAsync(() => _hanging == 2 * NameResolver.MostAtOnce);
        Assert.That(_asked, Does.Contain(Good));
    }

    [Test]
    public async Task Names_that_timed_out_delay_nobody_in_the_next_round_and_have_few_threads()
    {
        using NameResolver names = Resolver();
        await TimeOutAllAsync(names, 100);
        for (int round = 2; round < 5; round++)
        {
            _asked.Clear();
            _clock.Advance(NameResolver.Interval);
            await UntilAsync(() => _asked.Contains(Good));
            await UntilAsync(() => _hanging == NameResolver.MostSilent);
        }

        Assert.That(_mostHanging, Is.EqualTo(NameResolver.MostSilent));
    }

    [Test]
    public async Task A_name_whose_server_answers_again_is_looked_up_among_the_living()
    {
        using NameResolver names = Resolver();
        await TimeOutAllAsync(names, 20);
        _serverIsBack = true;
        _clock.Advance(NameResolver.Interval);
        await UntilAsync(() => names.Answers.Values.All(a => a.Fault.Length == 0));
        _serverIsBack = false;
        _clock.Advance(NameResolver.Interval);

        // More than the lane of the silent has threads.
        await UntilAsync(() => _hanging == NameResolver.MostAtOnce);
    }

    [Test]
    public async Task A_failure_that_comes_at_once_is_no_time_out()
    {
        using NameResolver names = Resolver();
        _failsAtOnce = true;
        await names.AddAsync(Silent(20)).WaitAsync(Patience);
        _failsAtOnce = false;
        _clock.Advance(NameResolver.Interval);

        // More than the lane of the silent has threads.
        await UntilAsync(() => _hanging == NameResolver.MostAtOnce);
    }

    [Test]
    public async Task The_threads_that_take_over_are_bounded()
    {
        using NameResolver names = Resolver();
        const int most = NameResolver.MostAtOnce + NameResolver.MostHanging;
        _ = names.AddAsync(Silent(2 * most));
        for (int hang = NameResolver.MostAtOnce; hang < most; hang += NameResolver.MostAtOnce)
        {
            int now = hang;
            await UntilAsync(() => _hanging == now);
            _clock.Advance(LookUpLane.HangsAfter);
        }

        await UntilAsync(() => _hanging == most);
        for (int i = 0; i < 10; i++)
        {
            _clock.Advance(LookUpLane.HangsAfter);
        }

        // One that ends makes room for the next, and not for two.
        int asked = _asked.Count;
        Release(1);
        await UntilAsync(() =>
        {
            _clock.Advance(LookUpLane.HangsAfter);
            return _asked.Count > asked && _hanging == most;
        });
        Assert.That(_mostHanging, Is.EqualTo(most));
    }

    private static IEnumerable<string> Silent(int count) => Enumerable.Range(0, count).Select(i => $"silent{i}.test");

    // Each has been looked up once and has timed out; only the good name has an address.
    private async Task TimeOutAllAsync(NameResolver names, int count)
    {
        Task all = names.AddAsync([.. Silent(count), Good]);
        for (int hang = 0; hang < count;)
        {
            hang = Math.Min(count, hang + NameResolver.MostAtOnce);
            int now = hang;
            await UntilAsync(() => _hanging == now);
            _clock.Advance(LookUpLane.HangsAfter);
        }

        Release(count);
        await all.WaitAsync(Patience);
        await UntilAsync(() => _hanging == 0);
        Assert.That(names.Answers.Count(a => a.Value.Fault.Length > 0), Is.EqualTo(count));
        _mostHanging = 0;
    }

    private NameResolver Resolver() => new(
        host =>
        {
            _asked.Enqueue(host);
            return host == Good || _serverIsBack ? Address : _failsAtOnce ? new LookUp([], "no such name") : Hang();
        },
        _clock,
        static () => { });

    private LookUp Hang()
    {
        lock (_asked)
        {
            _mostHanging = Math.Max(_mostHanging, ++_hanging);
            while (_releases == 0)
            {
                Monitor.Wait(_asked);
            }

            _releases--;
            _hanging--;
        }

        return NoAnswer;
    }

    private void Release(int count)
    {
        lock (_asked)
        {
            _releases += count;
            Monitor.PulseAll(_asked);
        }
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        using var deadline = new CancellationTokenSource(Patience);
        using var looks = new PeriodicTimer(TimeSpan.FromMilliseconds(2));
        while (!condition())
        {
            await looks.WaitForNextTickAsync(deadline.Token);
        }
    }
}
