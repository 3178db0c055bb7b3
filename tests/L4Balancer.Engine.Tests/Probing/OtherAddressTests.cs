using System.Net;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Probing;

namespace L4Balancer.Engine.Tests.Probing;

/// <summary>A name with several addresses: where one refuses, the next is probed before the backend is judged.</summary>
public sealed class OtherAddressTests
{
    private static readonly HealthSettings Slow = ProbedPool.Quick with { Interval = TimeSpan.FromHours(1), DownInterval = TimeSpan.FromMilliseconds(10) };

    private ReportLog _log = null!;
    private Prober _prober = null!;

    [SetUp]
    public void StartProber()
    {
        _log = new ReportLog();
        _prober = new Prober(TimeProvider.System, new Random(11), _log.Take);

        // Whatever comes after the first snapshot is probed at once.
        _prober.Publish(ProbedPool.Snapshot(Slow with { Type = HealthType.None }, ProbedPool.Loopback(9)));
    }

    [TearDown]
    public async Task EndProber() => await _prober.DisposeAsync();

    [Test]
    public void The_next_address_is_reported_where_it_is_good()
    {
        using TestBackend backend = TestBackend.Listening(IPAddress.Parse("127.0.0.3"));
        _prober.Publish(Snapshot(backend.Endpoint.Port, "127.0.0.1", "127.0.0.2", "127.0.0.3"));

        ProbeReport report = _log.Next();
        Assert.That((report.Outcome, report.Address.ToString(), report.Backend.Endpoint.Address.ToString()), Is.EqualTo((ProbeOutcome.Success, "127.0.0.3", "127.0.0.1")));
    }

    [Test]
    public void A_service_on_the_other_family_is_found()
    {
        using TestBackend backend = TestBackend.Listening(IPAddress.IPv6Loopback);
        _prober.Publish(Snapshot(backend.Endpoint.Port, "127.0.0.1", "::1"));

        ProbeReport report = _log.Next();
        Assert.That((report.Outcome, report.Address.ToString()), Is.EqualTo((ProbeOutcome.Success, "::1")));
    }

    [Test]
    public void Where_none_is_good_the_failure_is_that_of_the_current_one_and_comes_once()
    {
        using TestBackend silent = TestBackend.Silent();
        RoutingSnapshot snapshot = Snapshot(silent.Endpoint.Port, "127.0.0.1", "127.0.0.2");
        snapshot.Pools[0].Backends[0].State.Health.Pace = ProbePace.Steady;
        _prober.Publish(snapshot);

        ProbeReport report = _log.Next();
        Assert.That((report.Outcome, report.Address.ToString(), report.Detail), Is.EqualTo((ProbeOutcome.Failure, "127.0.0.1", "connection refused")));
        Assert.That(_log.Count, Is.Zero);
    }

    [Test]
    public void Of_many_two_are_probed_at_a_time_and_the_next_two_the_next_time()
    {
        using TestBackend backend = TestBackend.Listening(IPAddress.Parse("127.0.0.5"));
        RoutingSnapshot snapshot = Snapshot(backend.Endpoint.Port, "127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5");
        snapshot.Pools[0].Backends[0].State.Health.Pace = ProbePace.Down;
        _prober.Publish(snapshot);

        Assert.That(_log.Next().Outcome, Is.EqualTo(ProbeOutcome.Failure));
        Assert.That(_log.Next().Address.ToString(), Is.EqualTo("127.0.0.5"));
    }

    [Test]
    public void A_backend_that_is_not_about_to_go_down_stays_where_it_is()
    {
        using TestBackend backend = TestBackend.Listening(IPAddress.Parse("127.0.0.2"));
        RoutingSnapshot snapshot = Snapshot(backend.Endpoint.Port, "127.0.0.1", "127.0.0.2");
        snapshot.Pools[0].Backends[0].State.Health.KeepsAddress = true;
        _prober.Publish(snapshot);

        ProbeReport report = _log.Next();
        Assert.That((report.Outcome, report.Address.ToString()), Is.EqualTo((ProbeOutcome.Failure, "127.0.0.1")));
    }

    private static RoutingSnapshot Snapshot(int port, params string[] addresses)
    {
        var name = new HostName("host.name", (ushort)port);
        var settings = new BackendSettings { Name = "b0", Address = name.ToString(), Host = name };
        var config = new BalancerConfig { Pools = [new PoolSettings { Name = "pool", Health = Slow, Backends = [settings] }] };
        Dictionary<string, NameAnswer> answers = new() { ["host.name"] = new NameAnswer([.. addresses.Select(ProbedPool.Address)], "") };
        return RoutingSnapshot.Build(new(config, MaxConnections: 100) { Names = Resolutions.None.After(config, answers) });
    }
}
