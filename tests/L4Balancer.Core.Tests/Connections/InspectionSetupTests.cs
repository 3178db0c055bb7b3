using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;

namespace L4Balancer.Core.Tests.Connections;

/// <summary>What may happen to a client while its first bytes are read, in virtual time.</summary>
internal sealed class InspectionSetupTests
{
    private const string Request = "GET /rooms/1 HTTP/1.1\r\n\r\n";

    private static readonly PoolSettings Default = SetupScene.PoolOf(1) with { Name = "default" };
    private static readonly PoolSettings Rooms = SetupScene.PoolOf(1) with { Name = "rooms" };

    [TestCase("[::]:7")]
    [TestCase("0.0.0.0:7")]
    public void A_PROXY_header_that_names_the_unspecified_address_is_refused(string client)
    {
        var scene = new SetupScene(l => l with { AcceptProxyFrom = [Everyone] }, Default);
        SetupAttempt attempt = scene.Accept();

        attempt.Proxied(client);

        scene.AssertRefused(attempt, CloseReason.ProxyHeaderInvalid);
    }

    [Test]
    public void Without_a_timeout_the_longest_one_holds()
    {
        var scene = new SetupScene(l => l with { Inspect = InspectKind.Tls, InspectTimeout = TimeSpan.Zero }, Default);
        SetupAttempt attempt = scene.Accept();
        Assert.That(attempt.Step.Deadline - scene.Now, Is.EqualTo(TimeSpan.FromMinutes(5)));

        attempt.MissDeadline();

        scene.AssertRefused(attempt, CloseReason.InspectTimeout);
    }

    [Test]
    public void A_reload_that_reads_something_else_has_the_same_bytes_read_again()
    {
        SetupScene scene = ByPath();
        SetupAttempt attempt = scene.Accept();
        Core.Timing.Instant deadline = attempt.Step.Deadline;
        scene.Reload(
            l => l with { Inspect = InspectKind.Tls, Routes = [new RouteSettings { Sni = ["a.example.com"], Pool = "rooms" }] }, Default, Rooms);

        attempt.Request(Request);
        Assert.That((attempt.Action, attempt.Step.Deadline), Is.EqualTo((SetupAction.Inspect, deadline)));
        attempt.Hello("a.example.com");

        Assert.That((attempt.Action, attempt.Record.Pool.Name), Is.EqualTo((SetupAction.Connect, "rooms")));
    }

    [Test]
    public void A_reload_that_reads_nothing_any_more_decides_at_once()
    {
        SetupScene scene = ByPath();
        SetupAttempt attempt = scene.Accept();
        scene.Reload(l => l with { Inspect = InspectKind.None, InspectFailed = InspectFailed.Refuse, Routes = [] }, Default);

        attempt.Unreadable();

        Assert.That((attempt.Action, attempt.Record.Pool.Name), Is.EqualTo((SetupAction.Connect, "default")));
    }

    private static Cidr Everyone => Cidr.TryParse("0.0.0.0/0", out Cidr range) ? range : throw new FormatException();

    private static SetupScene ByPath() => new(
        l => l with { Inspect = InspectKind.Http, Routes = [new RouteSettings { Path = ["/rooms/*"], Pool = "rooms" }] }, Default, Rooms);
}
