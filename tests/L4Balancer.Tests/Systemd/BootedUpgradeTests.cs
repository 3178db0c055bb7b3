using System.Globalization;
using System.Text.Json;

namespace L4Balancer.Tests.Systemd;

/// <summary>Upgrades under the packaged unit, in a systemd that has booted.</summary>
[Platform("Linux")]
[System.Runtime.Versioning.SupportedOSPlatform("linux")]
[Parallelizable(ParallelScope.Self)]
[Category(DaemonProcess.Category)]
internal sealed class BootedUpgradeTests
{
    [Test]
    public async Task Service_goes_on_over_upgrades_and_the_watchdog_and_the_keeper_with_it()
    {
        BootedContainer.Require(needsPublished: true);
        using var container = new BootedContainer(BootedContainer.EchoConfig, "upgrade");
        JsonElement seen = await container.RunAsync();
        TestContext.Out.WriteLine(seen.ToString());
        Assert.That(seen.TryGetProperty("error", out _), Is.False);
        Assert.Multiple(() =>
        {
            Assert.That(seen.GetProperty("started").GetBoolean());
            foreach (string name in (string[])["first", "second", "third"])
            {
                JsonElement upgrade = seen.GetProperty(name);
                Assert.That(upgrade.GetProperty("code").GetInt32(), Is.Zero, name);
                Assert.That(upgrade.GetProperty("said").GetString(), Does.Match("moved: 10[0-9] connections"), name);
                Assert.That(upgrade.GetProperty("changed").GetBoolean(), $"{name}: the new process is the main one");
                Assert.That(upgrade.GetProperty("old_gone").GetBoolean(), $"{name}: the old one has ended");
                Assert.That(upgrade.GetProperty("same").GetBoolean(), $"{name}: nothing was restarted");
                Assert.That(Texts(upgrade.GetProperty("states")), Is.EqualTo(new[] { "active" }), name);
                Assert.That(upgrade.GetProperty("alive").GetInt32(), Is.EqualTo(100), name);
                Assert.That(Texts(upgrade.GetProperty("refused")), Is.Empty, name);
                Assert.That(Texts(upgrade.GetProperty("processes")), Is.EqualTo(new[] { "l4b-keeper", "l4balancer" }), name);
            }

            Assert.That(seen.GetProperty("pinged").GetBoolean(), "the new process feeds the watchdog");
            Assert.That(seen.GetProperty("not_restarted").GetBoolean());
            Assert.That(seen.GetProperty("reload").GetInt32(), Is.Zero, "and is reloaded");
            Assert.That(seen.GetProperty("hung_replaced").GetBoolean(), "one that hangs is ended by the watchdog");
            Assert.That(seen.GetProperty("restarts_hung").GetString(), Is.EqualTo("1"));
            Assert.That(seen.GetProperty("alive_hung").GetInt32(), Is.EqualTo(100));
            Assert.That(seen.GetProperty("killed_replaced").GetBoolean());
            Assert.That(seen.GetProperty("restarts_killed").GetString(), Is.EqualTo("2"));
            Assert.That(seen.GetProperty("alive_killed").GetInt32(), Is.EqualTo(100));
            Assert.That(seen.GetProperty("stop").GetInt32(), Is.Zero);
            Assert.That(seen.GetProperty("stop_took").GetDouble(), Is.GreaterThan(0.9), "connections get their grace of a second");
            Assert.That(Texts(seen.GetProperty("left")).Concat(Texts(seen.GetProperty("names"))), Is.Empty, "a stop leaves no process");
            Assert.That(seen.GetProperty("result").GetString(), Is.EqualTo("success"));
            Assert.That(seen.GetProperty("files").GetBoolean(), Is.False);
        });
        TestContext.Out.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"hung: {seen.GetProperty("hung_after").GetDouble():0.00} s, killed: {seen.GetProperty("killed_after").GetDouble():0.00} s until the next one serves"));
    }

    private static string?[] Texts(JsonElement array) => [.. array.EnumerateArray().Select(static e => e.GetString())];
}
