using System.Text.Json;

namespace L4Balancer.Tests.Systemd;

/// <summary>The packaged units under a systemd that has booted.</summary>
[Platform("Linux")]
[System.Runtime.Versioning.SupportedOSPlatform("linux")]
[NonParallelizable]
[Category(DaemonProcess.Category)]
internal sealed class BootedTests
{
    [Test]
    public async Task Systemd_starts_watches_reloads_and_restarts_it_and_no_connection_is_refused()
    {
        BootedContainer.Require();
        using var container = new BootedContainer(BootedContainer.EchoConfig);
        JsonElement seen = await container.RunAsync();
        TestContext.Out.WriteLine(seen.ToString());
        Assert.That(seen.TryGetProperty("error", out _), Is.False);
        Assert.Multiple(() =>
        {
            Assert.That(seen.GetProperty("activated").GetBoolean(), "the first connection starts it");
            Assert.That(seen.GetProperty("active").GetBoolean(), "it says that it is ready");
            Assert.That(seen.GetProperty("status").GetString(), Does.Contain("1 of 1 backends up"));
            Assert.That(seen.GetProperty("journal").GetString(), Does.Match("(?m)^ready: "), "the journal's format is picked: no time, no level");
            Assert.That(seen.GetProperty("watchdog").GetBoolean(), "watchdog pings come");
            Assert.That(seen.GetProperty("reload")[0].GetInt32(), Is.Zero);
            Assert.That(seen.GetProperty("reloaded").GetBoolean(), "the reload is in force");
            Assert.That(seen.GetProperty("bad_reload").GetInt32(), Is.Not.Zero, "a bad file fails the reload");
            Assert.That(seen.GetProperty("still").GetBoolean(), "and changes nothing");
            Assert.That(seen.GetProperty("kill").GetProperty("refused").GetInt32(), Is.Zero);
            Assert.That(seen.GetProperty("kill").GetProperty("lost_after").GetInt32(), Is.Zero);
            Assert.That(seen.GetProperty("kill").GetProperty("served").GetInt32(), Is.GreaterThan(40));
            Assert.That(seen.GetProperty("restarts").GetString(), Is.EqualTo("1"));
            JsonElement keeper = seen.GetProperty("keeper");
            Assert.That(keeper.GetProperty("left_by_stop").GetArrayLength(), Is.Zero, "a stop leaves no process behind");
            Assert.That(keeper.GetProperty("processes").EnumerateArray().Select(static p => p.GetString()), Does.Contain("l4b-keeper"));
            Assert.That(
                keeper.GetProperty("lived").EnumerateArray().Select(static n => n.GetInt32()), Is.EqualTo(new[] { 100, 100, 100, 100 }),
                "three times killed, then ended by the watchdog");
            Assert.That(keeper.GetProperty("refused").GetInt32(), Is.Zero);
            Assert.That(keeper.GetProperty("gone").GetBoolean() && keeper.GetProperty("replaced").GetBoolean(), "a keeper that is killed is replaced");
            Assert.That(keeper.GetProperty("same_main").GetBoolean());
            Assert.That(keeper.GetProperty("reload").GetInt32(), Is.Zero);
            Assert.That(keeper.GetProperty("after_reload").GetInt32(), Is.EqualTo(100));
            Assert.That(keeper.GetProperty("restart").GetInt32(), Is.Zero);
            Assert.That(keeper.GetProperty("after_restart").GetInt32(), Is.Zero, "a restart closes connections");
            Assert.That(keeper.GetProperty("talks").GetBoolean());
            Assert.That(keeper.GetProperty("left").GetArrayLength(), Is.Zero);
            Assert.That(keeper.GetProperty("files").GetBoolean(), Is.False, "the directory is gone after a stop");
            Assert.That(seen.GetProperty("stop")[0].GetInt32(), Is.Zero);
            Assert.That(seen.GetProperty("result").GetString(), Is.EqualTo("success"));
            JsonElement late = seen.GetProperty("late_address");
            Assert.That(late.GetProperty("started").GetInt32(), Is.Not.Zero, "the address is not there");
            Assert.That(late.GetProperty("failed").GetBoolean(), "it is tried again, more often than five times");
            Assert.That(late.GetProperty("active").GetBoolean(), "and serves once the address has come");
            Assert.That(seen.GetProperty("bad_file").GetProperty("state").GetString(), Is.EqualTo("failed"));
            Assert.That(seen.GetProperty("bad_file").GetProperty("status").GetString(), Is.EqualTo("2"));
            Assert.That(seen.GetProperty("bad_file").GetProperty("restarts").GetString(), Is.EqualTo("0"));
        });
    }
}
