using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Resolving;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace L4Balancer.Tests.Resolving;

internal sealed class BackendNamesTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly FakeTimeProvider _clock = new();

    [Test]
    public async Task What_was_looked_up_for_a_file_outlasts_a_change_that_comes_before_it_is_in_force()
    {
        using var names = Names(host => new LookUp([HostAddress.FromV4(0x0A00_0001)], ""));
        (BalancerConfig now, BalancerConfig next) = (ConfigOf("a.test"), ConfigOf("b.test"));
        await names.PrepareAsync(now).WaitAsync(Patience);
        names.Keep(now);

        await names.PrepareAsync(next).WaitAsync(Patience);
        names.Complain(now.Pools);

        Assert.That(names.After(Resolutions.None, next)["p", new HostName("b.test", 80)]?.Current.ToString(), Is.EqualTo("10.0.0.1"));
        names.Keep(next);
        Assert.That(names.After(Resolutions.None, next)["p", new HostName("b.test", 80)], Is.Not.Null);
        Assert.That(names.After(Resolutions.None, now)["p", new HostName("a.test", 80)], Is.Null, "forgotten");
    }

    [Test]
    public async Task Names_that_hang_are_waited_for_two_seconds_and_no_longer()
    {
        var hangs = new TaskCompletionSource();
        using var names = Names(_ =>
        {
            hangs.Task.Wait();
            return new LookUp([HostAddress.FromV4(0x0A00_0001)], "");
        });
        BalancerConfig config = ConfigOf("a.test");

        Task prepared = names.PrepareAsync(config);
        _clock.Advance(TimeSpan.FromSeconds(2) - TimeSpan.FromTicks(1));
        Assert.That(prepared.IsCompleted, Is.False);
        _clock.Advance(TimeSpan.FromTicks(1));
        await prepared.WaitAsync(Patience);

        Assert.That(names.After(Resolutions.None, config), Is.SameAs(Resolutions.None));
        Assert.That(Resolutions.WhyNone(names.Answers.GetValueOrDefault("a.test")), Is.EqualTo("name does not resolve: no answer yet"));
        hangs.SetResult();
    }

    private static BalancerConfig ConfigOf(string host) => new()
    {
        Pools = [new PoolSettings { Name = "p", Backends = [new BackendSettings { Name = "b", Address = $"{host}:80", Host = new HostName(host, 80) }] }],
    };

    private BackendNames Names(Func<string, LookUp> lookUp) =>
        new(new NameResolver(lookUp, _clock, static () => { }), _clock, NullLogger<BackendNames>.Instance);
}
