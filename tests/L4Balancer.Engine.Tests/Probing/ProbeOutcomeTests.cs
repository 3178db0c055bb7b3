using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Probing;

namespace L4Balancer.Engine.Tests.Probing;

/// <summary>What one probe does on the wire, and what it says of the backend; with real sockets and the real clock.</summary>
public sealed class ProbeOutcomeTests
{
    private ReportLog _log = null!;
    private Prober _prober = null!;

    [SetUp]
    public void StartProber()
    {
        _log = new ReportLog();
        _prober = new Prober(TimeProvider.System, new Random(11), _log.Take);
    }

    [TearDown]
    public async Task EndProber() => await _prober.DisposeAsync();

    [Test]
    public void A_backend_that_listens_is_a_success()
    {
        using TestBackend backend = TestBackend.Listening();
        RoutingSnapshot snapshot = ProbedPool.Snapshot(ProbedPool.Quick, backend.Endpoint);
        _prober.Publish(snapshot);

        Assert.That(_log.Next(), Is.EqualTo(new ProbeReport(
            snapshot.Pools[0], snapshot.Pools[0].Backends[0], snapshot.Pools[0].Backends[0].Endpoint.Address, ProbeOutcome.Success, "")));
        Assert.That(snapshot.IsDown(0), Is.False);
    }

    [Test]
    public void A_backend_that_refuses_is_a_failure_and_the_first_one_takes_it_down()
    {
        using TestBackend backend = TestBackend.Silent();
        RoutingSnapshot snapshot = ProbedPool.Snapshot(ProbedPool.Quick, backend.Endpoint);
        Assert.That(snapshot.IsDown(0), Is.False, "A backend begins up.");
        _prober.Publish(snapshot);

        ProbeReport report = _log.Next();
        Assert.That((report.Outcome, report.Detail), Is.EqualTo((ProbeOutcome.Failure, "connection refused")));
        Assert.That(snapshot.IsDown(0), Is.True);
    }

    [Test]
    public void A_backend_that_does_not_answer_fails_when_the_timeout_has_passed()
    {
        using TestBackend backend = TestBackend.BlackHole();
        HealthSettings health = ProbedPool.Quick with { Timeout = TimeSpan.FromMilliseconds(150) };
        long start = TimeProvider.System.GetTimestamp();
        _prober.Publish(ProbedPool.Snapshot(health, backend.Endpoint));

        ProbeReport report = _log.Next();
        Assert.That((report.Outcome, report.Detail), Is.EqualTo((ProbeOutcome.Failure, "no answer within 150ms")));
        Assert.That(TimeProvider.System.GetElapsedTime(start), Is.GreaterThan(TimeSpan.FromMilliseconds(149)));
    }

    [Test]
    public void A_probe_that_only_connects_is_not_seen_by_the_application_and_leaves_no_time_wait()
    {
        if (!OperatingSystem.IsLinux())
        {
            Assert.Ignore("TCP_QUICKACK is an option of Linux.");
        }

        using TestBackend backend = TestBackend.Listening();
        _prober.Publish(ProbedPool.Snapshot(ProbedPool.Quick, backend.Endpoint));
        int accepted = 0;
        for (int i = 0; i < 50; i++)
        {
            Assert.That(_log.Next().Outcome, Is.EqualTo(ProbeOutcome.Success));
            accepted += backend.HasWaiting ? 1 : 0;
            if (backend.HasWaiting)
            {
                backend.Accept().Dispose();
            }
        }

        // A machine that holds the prober up for longer than the kernel delays the last ACK lets one through now and then.
        Assert.That(accepted, Is.LessThanOrEqualTo(5));

        IEnumerable<TcpConnectionInformation> waiting = IPGlobalProperties.GetIPGlobalProperties().GetActiveTcpConnections()
            .Where(c => c.State == TcpState.TimeWait)
            .Where(c => c.LocalEndPoint.Port == backend.Endpoint.Port || c.RemoteEndPoint.Port == backend.Endpoint.Port);
        Assert.That(waiting, Is.Empty);
    }

    [Test]
    public void Probes_leave_from_the_source_addresses_in_turn()
    {
        using TestBackend backend = TestBackend.Listening();
        HostAddress[] sources = [.. Enumerable.Range(2, 3).Select(i => ProbedPool.Address($"127.0.0.{i}"))];
        HealthSettings health = ProbedPool.Quick with { Type = HealthType.Http };
        _prober.Publish(ProbedPool.Snapshot(health, [.. sources], ProbedPool.Named(backend.Endpoint), null));

        List<HostAddress> seen = [];
        for (int i = 0; i < 6; i++)
        {
            using Socket accepted = backend.Accept();
            seen.Add(HostAddress.From(((IPEndPoint)accepted.RemoteEndPoint!).Address));
        }

        Assert.That(seen.Take(3), Is.EquivalentTo(sources));
        Assert.That(seen.Skip(3), Is.EqualTo(seen.Take(3)));
    }

    [Test]
    public void The_port_of_the_health_settings_replaces_the_backends_own()
    {
        using TestBackend refusing = TestBackend.Silent();
        using TestBackend healthy = TestBackend.Listening();
        HealthSettings health = ProbedPool.Quick with { Port = healthy.Endpoint.Port };
        _prober.Publish(ProbedPool.Snapshot(health, refusing.Endpoint));

        Assert.That(_log.Next().Outcome, Is.EqualTo(ProbeOutcome.Success));
    }

    [Test]
    public void IPv6_backends_are_probed_from_IPv6_sources_only()
    {
        if (!Socket.OSSupportsIPv6)
        {
            Assert.Ignore("This host has no IPv6.");
        }

        using TestBackend backend = TestBackend.Listening(IPAddress.IPv6Loopback);
        HostAddress[] sources = [ProbedPool.Address("127.0.0.2"), ProbedPool.Address("::1")];
        _prober.Publish(ProbedPool.Snapshot(ProbedPool.Quick, [.. sources], ProbedPool.Named(backend.Endpoint), null));

        Assert.That(new[] { _log.Next().Outcome, _log.Next().Outcome }, Is.All.EqualTo(ProbeOutcome.Success));
    }

    [Test]
    public void A_source_address_of_another_host_is_our_own_fault_and_changes_nothing()
    {
        using TestBackend backend = TestBackend.Silent();
        RoutingSnapshot snapshot = ProbedPool.Snapshot(
            ProbedPool.Quick, [ProbedPool.Address("192.0.2.7")], ProbedPool.Named(backend.Endpoint), null);
        _prober.Publish(snapshot);

        for (int i = 0; i < 4; i++)
        {
            ProbeReport report = _log.Next();
            Assert.That(
                (report.Outcome, report.Detail),
                Is.EqualTo((ProbeOutcome.LocalError, "source address 192.0.2.7 is not an address of this host")));
        }

        Backend blamed = snapshot.Pools[0].Backends[0];
        Assert.That(snapshot.IsDown(0), Is.False);
        Assert.That(blamed.State.Health.LocalErrors, Is.GreaterThanOrEqualTo(4));
        Assert.That((blamed.State.Health.Failed, blamed.State.Health.Transitions), Is.EqualTo((0L, 0L)));
    }

    [TestCase(SocketError.AddressNotAvailable, "no free local port")]
    [TestCase(SocketError.TooManyOpenSockets, "out of descriptors or memory")]
    [TestCase(SocketError.NoBufferSpaceAvailable, "out of descriptors or memory")]
    public void A_shortage_of_our_own_is_a_local_error(SocketError error, string detail) =>
        Assert.That(ProbeVerdict.OfConnect(error), Is.EqualTo(new ProbeVerdict(ProbeOutcome.LocalError, detail)));

    [TestCase(SocketError.HostUnreachable, "host unreachable")]
    [TestCase(SocketError.NetworkUnreachable, "network unreachable")]
    [TestCase(SocketError.TimedOut, "no answer")]
    public void What_the_network_says_is_a_failure(SocketError error, string detail) =>
        Assert.That(ProbeVerdict.OfConnect(error), Is.EqualTo(new ProbeVerdict(ProbeOutcome.Failure, detail)));

    [Test]
    public void A_backend_falls_after_three_failures_and_rises_after_two_good_probes()
    {
        using TestBackend backend = TestBackend.Listening();
        RoutingSnapshot snapshot = ProbedPool.Snapshot(ProbedPool.Quick, backend.Endpoint);
        _prober.Publish(snapshot);
        Assert.That(_log.Next().Outcome, Is.EqualTo(ProbeOutcome.Success));

        backend.StopListening();
        Assert.That(_log.UntilChange(), Has.Exactly(3).EqualTo(ProbeOutcome.Failure));
        Assert.That(snapshot.IsDown(0), Is.True);

        backend.Listen();
        Assert.That(_log.UntilChange(), Has.Exactly(2).EqualTo(ProbeOutcome.Success));
        Assert.That(snapshot.IsDown(0), Is.False);
    }
}
