using System.Diagnostics;
using System.Text.Json;
using L4Balancer.Tests.Pacing;

namespace L4Balancer.Tests.Hosting;

/// <summary>A daemon in a control group whose share of the processors is limited, as <c>CPUQuota=</c> of systemd and container runtimes do it.</summary>
[Platform("Linux")]
[Category(DaemonProcess.Category)]
internal sealed class ProcessorQuotaTests
{
    // The hierarchy of version 1, or the only one of version 2.
    private static readonly string Root = Directory.Exists("/sys/fs/cgroup/cpu") ? "/sys/fs/cgroup/cpu" : "/sys/fs/cgroup";

    private readonly string _group = Path.Combine(Root, $"l4balancer-test-{Guid.NewGuid():N}");

    // The keeper of a daemon that was killed is in the group as well, and a process that has been killed leaves it a moment later.
    [TearDown]
    public async Task RemoveGroupAsync()
    {
        string processes = Path.Combine(_group, "cgroup.procs");
        var waited = Stopwatch.StartNew();
        while (Directory.Exists(_group))
        {
            if ((await File.ReadAllTextAsync(processes)).Length == 0)
            {
                Directory.Delete(_group);
                break;
            }

            Assert.That(waited.Elapsed, Is.LessThan(DaemonProcess.Deadline), "the group is left by all processes");
            await Task.Delay(20);
        }
    }

    [Test]
    public async Task There_are_as_many_event_loops_as_the_quota_has_processors()
    {
        if (Environment.ProcessorCount < 2)
        {
            Assert.Ignore("one processor: a quota of one changes nothing");
        }

        LimitToOneProcessor();
        await using (PacedScene scene = await PacedScene.StartAsync(
            "epoll", backends: 1, "", null, "/bin/sh", "-c", $"echo $$ > {_group}/cgroup.procs; exec \"$@\"", "sh"))
        {
            (_, JsonElement status) = await scene.SendAsync("GET", "/v1/status");
            Assert.That(status.GetProperty("workers").GetArrayLength(), Is.EqualTo(1));
        }
    }

    private void LimitToOneProcessor()
    {
        try
        {
            Directory.CreateDirectory(_group);
            if (File.Exists(Path.Combine(_group, "cpu.max")))
            {
                File.WriteAllText(Path.Combine(_group, "cpu.max"), "100000 100000");
            }
            else
            {
                File.WriteAllText(Path.Combine(_group, "cpu.cfs_period_us"), "100000");
                File.WriteAllText(Path.Combine(_group, "cpu.cfs_quota_us"), "100000");
            }
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            Assert.Ignore($"this user cannot limit the processors of a control group: {e.Message}");
        }
    }
}
