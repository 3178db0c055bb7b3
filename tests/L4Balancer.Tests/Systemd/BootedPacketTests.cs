using System.Text.Json;

namespace L4Balancer.Tests.Systemd;

/// <summary>The packaged unit with a packet listener, without the drop-in and with it, in a systemd that has booted.</summary>
[Platform("Linux")]
[System.Runtime.Versioning.SupportedOSPlatform("linux")]
[Parallelizable(ParallelScope.Self)]
[Category(DaemonProcess.Category)]
internal sealed class BootedPacketTests
{
    private const string Configuration = """
        [balancer]
        shutdown_grace = "1s"
        [[listeners]]
        name = "wss"
        mode = "packet"
        bind = ["192.0.2.10:443"]
        interface = "eth0"
        pool = "chat"
        [[pools]]
        name = "chat"
        balance = "maglev"
        [pools.health]
        fast_interval = "100ms"
        down_interval = "500ms"
        rise = 1
        [[pools.backends]]
        name = "ws1"
        address = "10.0.0.21:443"
        """;

    [Test]
    public async Task Unit_needs_the_drop_in_for_packets_and_with_it_they_outlive_all_but_a_stop()
    {
        BootedContainer.Require(needsPublished: true);
        using var container = new BootedContainer(Configuration, "packet", hasBpf: true);
        JsonElement seen = await container.RunAsync();
        TestContext.Out.WriteLine(seen.ToString());
        Assert.That(seen.TryGetProperty("error", out _), Is.False);
        Assert.Multiple(() =>
        {
            JsonElement without = seen.GetProperty("without");
            Assert.That(without.GetProperty("code").GetInt32(), Is.Not.Zero);
            Assert.That(
                without.GetProperty("journal").GetString(),
                Does.Contain("CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN are missing: the drop-in packet-mode.conf")
                    .And.Contain("/usr/share/doc/l4balancer/packaging/systemd/packet-mode.conf"));
            Assert.That(without.GetProperty("attached").GetBoolean(), Is.False);

            Assert.That(seen.GetProperty("started")[0].GetInt32(), Is.Zero);
            Assert.That(seen.GetProperty("user").GetString(), Is.EqualTo("l4balancer"));
            Assert.That(seen.GetProperty("rights").GetString(), Is.EqualTo("000000c000001400"), "CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, CAP_NET_BIND_SERVICE");
            Assert.That(seen.GetProperty("folder").GetString(), Is.EqualTo("700 l4balancer"));
            Assert.That(seen.GetProperty("attached").GetBoolean());
            Assert.That(seen.GetProperty("connects").GetBoolean(), "packets go to the backend, and its answers to the client");

            JsonElement killed = seen.GetProperty("killed");
            Assert.That(killed.GetProperty("replaced").GetBoolean());
            Assert.That(killed.GetProperty("meanwhile").GetInt32(), Is.Positive, "looks at it while no daemon runs");
            Assert.That(killed.GetProperty("attached").GetBoolean(), "the program stays where it is");
            Assert.That(killed.GetProperty("alive").GetBoolean(), "and no flow ends");
            Assert.That(killed.GetProperty("journal").GetString(), Does.Contain("taken over from the process before"));
            Assert.That(seen.GetProperty("reload")[0].GetInt32(), Is.Zero);
            Assert.That(seen.GetProperty("reloaded").GetBoolean());
            Assert.That(seen.GetProperty("after_reload").GetBoolean());
            Assert.That(seen.GetProperty("upgrade")[0].GetInt32(), Is.Zero);
            Assert.That(seen.GetProperty("upgraded").GetBoolean());
            Assert.That(seen.GetProperty("after_upgrade").GetBoolean());
            Assert.That(seen.GetProperty("restarts").GetString(), Is.EqualTo("1"), "after the kill");

            JsonElement stopped = seen.GetProperty("stopped");
            Assert.That(stopped.GetProperty("code").GetInt32(), Is.Zero);
            Assert.That(stopped.GetProperty("attached").GetBoolean(), Is.False);
            Assert.That(stopped.GetProperty("left").GetArrayLength(), Is.Zero);
            Assert.That(stopped.GetProperty("alive").GetBoolean(), Is.False);
        });
    }
}
