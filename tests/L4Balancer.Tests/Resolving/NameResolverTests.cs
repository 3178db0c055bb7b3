using System.Collections.Concurrent;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Routing;
using L4Balancer.Resolving;
using Microsoft.Extensions.Time.Testing;

namespace L4Balancer.Tests.Resolving;

/// <summary>When names are looked up, and what is kept of the answers; on a clock and with look-ups that a test drives.</summary>
internal sealed class NameResolverTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly ConcurrentDictionary<string, LookUp> _world = new();
    private readonly ConcurrentQueue<string> _asked = new();
    private readonly FakeTimeProvider _clock = new();
    private int _changes;

    [SetUp]
    public void Begin()
    {
        _world.Clear();
        _asked.Clear();
        _changes = 0;
    }

    [Test]
    public async Task Names_are_looked_up_at_once_and_every_thirty_seconds()
    {
        Say("a", "10.0.0.1");
        Say("b", "10.0.0.2");
        using NameResolver names = Resolver();
        await names.AddAsync(["a", "b", "a"]).WaitAsync(Patience);
        Assert.That(_asked, Is.EquivalentTo(new[] { "a", "b" }));
        Assert.That((Known(names, "a"), Known(names, "b")), Is.EqualTo(("10.0.0.1", "10.0.0.2")));

        _clock.Advance(NameResolver.Interval - TimeSpan.FromTicks(1));
        Assert.That(_asked, Has.Count.EqualTo(2));
        Say("b", "10.0.0.3");
        _clock.Advance(TimeSpan.FromTicks(1));
        await UntilAsync(() => Known(names, "b") == "10.0.0.3");
        _clock.Advance(NameResolver.Interval);
        await UntilAsync(() => _asked.Count == 6);
        await UntilAsync(() => _changes == 3);
    }

    [Test]
    public async Task Where_no_thread_can_be_started_names_are_looked_up_in_a_later_round()
    {
        Say("a", "10.0.0.1");
        bool fails = true;
        using var names = new NameResolver(
            host => _world[host], _clock, () => { }, work =>
            {
                if (fails)
                {
                    throw new InsufficientMemoryException();
                }

                new Thread(work) { IsBackground = true }.Start();
            });
        Task first = names.AddAsync(["a"]);
        _clock.Advance(NameResolver.Interval);
        Assert.That(first.IsCompleted, Is.False);

        fails = false;
        _clock.Advance(NameResolver.Interval);
        await first.WaitAsync(Patience);
        Assert.That(Known(names, "a"), Is.EqualTo("10.0.0.1"));
    }

    [Test]
    public async Task A_failure_keeps_the_last_answer_and_says_what_failed()
    {
        Say("a", "10.0.0.1");
        using NameResolver names = Resolver();
        await names.AddAsync(["a"]).WaitAsync(Patience);
        _world["a"] = new LookUp([], "no name server answers");
        _clock.Advance(NameResolver.Interval);

        await UntilAsync(() => names.Answers["a"].Fault == "no name server answers");
        Assert.That(Known(names, "a"), Is.EqualTo("10.0.0.1"));
    }

    [Test]
    public async Task A_name_that_is_gone_keeps_its_addresses_for_five_minutes_and_then_has_none()
    {
        Say("a", "10.0.0.1");
        using NameResolver names = Resolver();
        await names.AddAsync(["a"]).WaitAsync(Patience);
        _world["a"] = new LookUp([], "no such name", IsGone: true);
        for (int round = 1; round <= 10; round++)
        {
            await AskAgainAsync(names);
            Assert.That((Known(names, "a"), names.Answers["a"].Fault), Is.EqualTo(("10.0.0.1", "no such name")), $"after {30 * (round - 1)} s");
        }

        // A look-up that no name server answers does not show whether the name exists.
        _world["a"] = new LookUp([], "no name server answers");
        await AskAgainAsync(names);
        Assert.That(Known(names, "a"), Is.EqualTo("10.0.0.1"));

        int changes = _changes;
        _world["a"] = new LookUp([], "no such name", IsGone: true);
        await AskAgainAsync(names);
        Assert.That(Known(names, "a"), Is.Empty);
        await UntilAsync(() => _changes > changes);
        Say("a", "10.0.0.2");
        await AskAgainAsync(names);
        Assert.That((Known(names, "a"), names.Answers["a"].Fault), Is.EqualTo(("10.0.0.2", "")));
    }

    [Test]
    public async Task A_name_that_comes_back_in_between_is_held_for_five_minutes_from_its_next_end()
    {
        Say("a", "10.0.0.1");
        using NameResolver names = Resolver();
        await names.AddAsync(["a"]).WaitAsync(Patience);
        for (int time = 0; time < 2; time++)
        {
            _world["a"] = new LookUp([], "no such name", IsGone: true);
            for (int round = 0; round < 8; round++)
            {
                await AskAgainAsync(names);
            }

            Assert.That(Known(names, "a"), Is.EqualTo("10.0.0.1"));
            Say("a", "10.0.0.1");
            await AskAgainAsync(names);
        }
    }

    [Test]
    public async Task Where_no_name_server_answers_the_addresses_are_kept_for_ever()
    {
        Say("a", "10.0.0.1");
        using NameResolver names = Resolver();
        await names.AddAsync(["a"]).WaitAsync(Patience);
        _world["a"] = new LookUp([], "no name server answers");
        for (int round = 0; round < 30; round++)
        {
            await AskAgainAsync(names);
        }

        Assert.That(Known(names, "a"), Is.EqualTo("10.0.0.1"));
    }

    [Test]
    public async Task The_same_answer_in_another_order_is_no_change()
    {
        Say("a", "10.0.0.1", "10.0.0.2");
        using NameResolver names = Resolver();
        await names.AddAsync(["a"]).WaitAsync(Patience);
        await UntilAsync(() => _changes == 1);
        Say("a", "10.0.0.2", "10.0.0.1");
        _clock.Advance(NameResolver.Interval);
        await UntilAsync(() => _asked.Count == 2);
        Say("a", "10.0.0.2");
        _clock.Advance(NameResolver.Interval);

        await UntilAsync(() => Known(names, "a") == "10.0.0.2");
        await UntilAsync(() => _changes == 2);
    }

    [Test]
    public async Task A_look_up_that_hangs_is_not_joined_by_another_of_its_name_and_holds_up_no_other()
    {
        using var hangs = new ManualResetEventSlim();
        Say("b", "10.0.0.2");
        using var names = new NameResolver(
            host =>
            {
                _asked.Enqueue(host);
                if (host == "hangs")
                {
                    hangs.Wait();
                }

                return _world.GetValueOrDefault(host, new LookUp([], "no such name"));
            },
            _clock,
            () => Interlocked.Increment(ref _changes));
        Task all = names.AddAsync(["hangs", "b"]);
        await UntilAsync(() => Known(names, "b") == "10.0.0.2");
        for (int i = 2; i < 5; i++)
        {
            _clock.Advance(NameResolver.Interval);
            await UntilAsync(() => _asked.Count(a => a == "b") == i);
        }

        Assert.That(_asked.Count(a => a == "hangs"), Is.EqualTo(1));
        Assert.That(all.IsCompleted, Is.False);
        hangs.Set();
        await all.WaitAsync(Patience);
    }

    [Test]
    public async Task Not_more_than_a_few_names_are_looked_up_at_once()
    {
        using var hangs = new ManualResetEventSlim();
        int atOnce = 0;
        int most = 0;
        using var names = new NameResolver(
            host =>
            {
                int now = Interlocked.Increment(ref atOnce);
                lock (hangs)
                {
                    most = Math.Max(most, now);
                }

                hangs.Wait();
                Interlocked.Decrement(ref atOnce);
                return new LookUp([], "no such name");
            },
            _clock,
            () => { });
        Task all = names.AddAsync(Enumerable.Range(0, 100).Select(i => $"n{i}"));
        await UntilAsync(() => Volatile.Read(ref atOnce) == NameResolver.MostAtOnce);
        hangs.Set();
        await all.WaitAsync(Patience);

        Assert.That(most, Is.EqualTo(NameResolver.MostAtOnce));
    }

    [Test]
    public async Task A_name_that_is_not_kept_is_forgotten()
    {
        Say("a", "10.0.0.1");
        Say("b", "10.0.0.2");
        using NameResolver names = Resolver();
        await names.AddAsync(["a", "b"]).WaitAsync(Patience);
        names.Keep(new HashSet<string> { "b" });
        _clock.Advance(NameResolver.Interval);
        await UntilAsync(() => _asked.Count == 3);

        Assert.That(names.Answers.Keys, Is.EqualTo(new[] { "b" }));
        Assert.That(_asked.Last(), Is.EqualTo("b"));
    }

    // The answer is taken when the name may be asked for again.
    private async Task AskAgainAsync(NameResolver names)
    {
        int asked = _asked.Count;
        NameAnswer before = names.Answers["a"];
        _clock.Advance(NameResolver.Interval);
        await UntilAsync(() => _asked.Count == asked + 1 && names.Answers["a"] != (object)before);
    }

    private NameResolver Resolver() => new(
        host =>
        {
            _asked.Enqueue(host);
            return _world.GetValueOrDefault(host, new LookUp([], "no such name"));
        },
        _clock,
        () => Interlocked.Increment(ref _changes));

    private void Say(string host, params string[] addresses) => _world[host] = new LookUp(
        [.. addresses.Select(a => HostAddress.TryParse(a, out HostAddress address) ? address : throw new FormatException(a))], "");

    private static string Known(NameResolver names, string host) =>
        names.Answers.TryGetValue(host, out NameAnswer? answer) ? string.Join(", ", answer.Addresses) : "";

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
