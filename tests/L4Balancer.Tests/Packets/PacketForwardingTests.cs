using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Packets;
using L4Balancer.Packets;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Tests.Packets;

/// <summary>The packet listeners over the life of a daemon: what the kernel is told, and when it is left alone.</summary>
internal sealed class PacketForwardingTests
{
    private readonly RecordingPlane _kernel = new();

    [SetUp]
    public void Forget()
    {
        _kernel.Calls.Clear();
        _kernel.Fault = null;
    }

    [Test]
    public void Listener_is_started_with_its_addresses_its_backends_and_its_table()
    {
        using PacketForwarding forwarding = Forwarding();
        RoutingSnapshot snapshot = PacketPool.Snapshot(PacketPool.Config(3, key: TupleFields.SourceIp));
        snapshot.Pools[0].SetHealth(new Dictionary<int, HealthState> { [1] = HealthState.Down });

        Assert.That(forwarding.Start(snapshot), Is.Empty);

        PacketListener listener = _kernel.Listeners.Single();
        Assert.That((listener.Name, listener.Interface, listener.Flows, listener.BySource), Is.EqualTo(("wss", "eth0", 1_000, true)));
        Assert.That(listener.Binds, Is.EqualTo(snapshot.Listeners[0].Settings.Bind));
        Assert.That(listener.Choice.Targets.Select(t => t.Identity), Is.EqualTo(["ws1 10.0.0.1:443", "ws2 10.0.0.2:443", "ws3 10.0.0.3:443"]));
        Assert.That(listener.Choice.Targets.Select(t => t.KeepsFlows), Is.All.True, "a backend that is down keeps what it has");
        Assert.That(listener.Choice.Table.Available.Select(a => (int)a.Member), Is.EqualTo([0, 2]));
    }

    [Test]
    public void Without_packet_listeners_nothing_is_attached_and_what_was_left_is_removed()
    {
        int removed = 0;
        using var forwarding = new PacketForwarding(_kernel.Start, Remove, false, TimeProvider.System, NullLogger.Instance);
        RoutingSnapshot snapshot = PacketPool.Snapshot(PacketPool.Config(3, mode: ListenerMode.Relay));

        Assert.That(forwarding.Start(snapshot), Is.Empty);
        Assert.That(forwarding.Configure(snapshot), Is.Empty);
        Assert.That((removed, _kernel.Calls.Count), Is.EqualTo((1, 0)));

        string? Remove()
        {
            removed++;
            return null;
        }
    }

    [Test]
    public void Fault_of_the_kernel_names_the_listener_and_leaves_what_was_in_force()
    {
        using PacketForwarding forwarding = Forwarding();
        forwarding.Start(PacketPool.Snapshot(PacketPool.Config(2)));
        _kernel.Fault = "needs CAP_BPF";

        Assert.That(
            forwarding.Configure(PacketPool.Snapshot(PacketPool.Config(3))).Single(),
            Is.EqualTo(new L4Balancer.Engine.ListenFailure("wss", default, "mode = \"packet\": needs CAP_BPF")));
        Assert.That(_kernel.Listeners[0].Choice.Targets, Has.Length.EqualTo(2));
    }

    [Test]
    public void Reload_that_cannot_add_the_first_packet_listener_leaves_nothing_attached()
    {
        int removed = 0;
        using var forwarding = new PacketForwarding(_kernel.Start, Remove, true, TimeProvider.System, NullLogger.Instance);
        forwarding.Start(PacketPool.Snapshot(PacketPool.Config(2, mode: ListenerMode.Relay)));
        forwarding.Serve();
        removed = 0;
        _kernel.Fault = "interface eth1: there is no such interface";

        Assert.That(forwarding.Configure(PacketPool.Snapshot(PacketPool.Config(2))), Is.Not.Empty);
        Assert.That(removed, Is.EqualTo(1), "an interface before it may be attached to");

        string? Remove()
        {
            removed++;
            return null;
        }
    }

    [Test]
    public void What_cannot_be_taken_back_goes_on_as_the_kernel_has_it()
    {
        int removed = 0;
        using var forwarding = new PacketForwarding(_kernel.Start, Remove, false, TimeProvider.System, NullLogger.Instance);
        RoutingSnapshot snapshot = PacketPool.Snapshot(PacketPool.Config(2));
        forwarding.Start(snapshot);
        forwarding.Serve();
        forwarding.Leave();
        _kernel.Fault = "no memory";
        forwarding.TakeBack(snapshot);
        Assert.That(removed, Is.Zero);

        string? Remove()
        {
            removed++;
            return null;
        }
    }

    [TestCase(ListenerMode.Packet, 1)]
    [TestCase(ListenerMode.Relay, 0)]
    public void What_another_daemon_has_attached_is_left_alone(ListenerMode mode, int failures)
    {
        using var forwarding = new PacketForwarding(_kernel.Start, Remove, true, TimeProvider.System, NullLogger.Instance);
        RoutingSnapshot snapshot = PacketPool.Snapshot(PacketPool.Config(2, mode: mode));

        Assert.That(forwarding.Start(snapshot, isOfAnotherDaemon: true), Has.Count.EqualTo(failures));
        forwarding.Serve();
        Assert.That(forwarding.Configure(PacketPool.Snapshot(PacketPool.Config(2))).Single().Message, Does.Contain("another daemon"));
        forwarding.Stop();
        Assert.That(_kernel.Calls, Is.Empty);

        static string? Remove() => throw new InvalidOperationException("another daemon needs it");
    }

    [Test]
    public void Reload_adds_the_first_packet_listener_and_takes_the_last_away()
    {
        using PacketForwarding forwarding = Forwarding();
        forwarding.Start(PacketPool.Snapshot(PacketPool.Config(2, mode: ListenerMode.Relay)));
        forwarding.Configure(PacketPool.Snapshot(PacketPool.Config(2)));
        forwarding.Configure(PacketPool.Snapshot(PacketPool.Config(3)));
        forwarding.Configure(PacketPool.Snapshot(PacketPool.Config(2, mode: ListenerMode.Relay)));

        Assert.That(_kernel.Calls, Is.EqualTo(["start", "configure", "stop"]));
    }

    [Test]
    public void After_it_was_left_to_another_process_nothing_is_touched_until_it_is_taken_back()
    {
        using PacketForwarding forwarding = Forwarding();
        RoutingSnapshot snapshot = PacketPool.Snapshot(PacketPool.Config(2));
        forwarding.Start(snapshot);
        forwarding.Leave();
        forwarding.Configure(snapshot);
        forwarding.Publish(snapshot.Listeners[0]);
        forwarding.Stop();
        Assert.That(_kernel.Calls, Is.EqualTo(["start", "leave"]));

        forwarding.TakeBack(snapshot);
        Assert.That(_kernel.Calls, Is.EqualTo(["start", "leave", "start"]));
    }

    [TestCase(false, false, "start,stop")]
    [TestCase(true, false, "start,leave")]
    [TestCase(false, true, "start,leave")]
    public void End_without_a_stop_leaves_everything_unless_a_start_has_failed_that_took_nothing_over(bool hasPredecessor, bool serves, string calls)
    {
        using (PacketForwarding forwarding = Forwarding(hasPredecessor))
        {
            forwarding.Start(PacketPool.Snapshot(PacketPool.Config(2)));
            if (serves)
            {
                forwarding.Serve();
            }
        }

        Assert.That(string.Join(',', _kernel.Calls), Is.EqualTo(calls));
    }

    [Test]
    public void Stop_in_good_order_removes_everything_once()
    {
        using (PacketForwarding forwarding = Forwarding())
        {
            forwarding.Start(PacketPool.Snapshot(PacketPool.Config(2)));
            forwarding.Serve();
            forwarding.Stop();
        }

        Assert.That(_kernel.Calls, Is.EqualTo(["start", "stop"]));
    }

    [Test]
    public void Long_address_gives_a_short_identity_of_its_own()
    {
        string host = string.Join('.', Enumerable.Repeat(new string('a', 60), 4));
        string[] identities = [.. new[] { $"{host}:443", $"{host}:444" }.Select(a => IdentityOf("ws1", a))];

        Assert.That(identities, Is.Unique);
        Assert.That(identities.Max(static i => i.Length), Is.LessThan(PacketTarget.LongestIdentity));
    }

    [Test]
    public void Services_with_runtime_directories_of_their_own_share_nothing()
    {
        BalancerConfig config = PacketPool.Config(2);
        string one = Folder("/run/l4balancer/a"), other = Folder("/run/l4balancer/b"), first = Folder("/run/l4balancer");

        Assert.That(new[] { one, other, first }, Is.Unique);
        Assert.That(PacketFolder.For(config, "/etc/l4b.toml", isRoot: true, static _ => null), Is.EqualTo(first), "root has the default socket");

        string Folder(string runtime) =>
            PacketFolder.For(config, "/etc/l4b.toml", isRoot: false, name => name == "RUNTIME_DIRECTORY" ? runtime : null);
    }

    private static string IdentityOf(string name, string address) => PacketListeners.IdentityOf(
        PacketPool.Snapshot(PacketPool.Config(1)).Pools[0].Backends[0] with { Settings = new BackendSettings { Name = name, Address = address } });

    private PacketForwarding Forwarding(bool hasPredecessor = false) =>
        new(_kernel.Start, static () => null, hasPredecessor, TimeProvider.System, NullLogger.Instance);
}
