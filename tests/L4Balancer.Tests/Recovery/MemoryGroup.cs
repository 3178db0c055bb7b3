using System.Diagnostics;
using System.Globalization;

namespace L4Balancer.Tests.Recovery;

/// <summary>A memory cgroup (cgroups(7)), of version 1 or 2, in which the kernel runs short of memory on demand.</summary>
[System.Runtime.Versioning.SupportedOSPlatform("linux")]
internal sealed class MemoryGroup : IDisposable
{
    private readonly string _path;
    private readonly bool _isFirstVersion;

    private MemoryGroup(string path, bool isFirstVersion) => (_path, _isFirstVersion) = (path, isFirstVersion);

    /// <summary>How many processes the kernel has ended there for lack of memory.</summary>
    public int Kills => File.ReadAllLines(Path.Combine(_path, _isFirstVersion ? "memory.oom_control" : "memory.events"))
        .Where(static l => l.StartsWith("oom_kill ", StringComparison.Ordinal)).Select(static l => int.Parse(l.Split(' ')[1], CultureInfo.InvariantCulture))
        .Sum();

    private string Processes => Path.Combine(_path, "cgroup.procs");

    /// <summary>Skips the test where none can be made.</summary>
    public static MemoryGroup Create()
    {
        const string root = "/sys/fs/cgroup";
        bool isFirstVersion = Directory.Exists($"{root}/memory") && File.Exists($"{root}/memory/cgroup.procs");
        string path = Path.Combine(isFirstVersion ? $"{root}/memory" : root, $"l4balancer-test-{Guid.NewGuid():N}");
        try
        {
            Directory.CreateDirectory(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Assert.Ignore($"no cgroup can be made here: {e.Message}");
        }

        var group = new MemoryGroup(path, isFirstVersion);
        if (!File.Exists(Path.Combine(path, isFirstVersion ? "memory.oom_control" : "memory.events")))
        {
            group.Dispose();
            Assert.Ignore("the cgroups here do not count memory");
        }

        return group;
    }

    /// <summary>The program and arguments that start another one in the group, in their own place.</summary>
    public string[] Starter() => ["/bin/sh", "-c", $"echo $$ > {Processes} && exec \"$@\"", "sh"];

    /// <summary>
    /// Lets the memory of the group run out, so that the kernel ends this process. Which one it ends it would decide by size (proc(5), oom_score_adj); here
    /// it is told.
    /// </summary>
    public async Task EndByShortageAsync(DaemonProcess victim)
    {
        const long room = 16 << 20;
        await File.WriteAllTextAsync($"/proc/{victim.Id}/oom_score_adj", "1000");
        long used = long.Parse(await File.ReadAllTextAsync(In("memory.usage_in_bytes", "memory.current")), CultureInfo.InvariantCulture);
        string limit = (used + room).ToString(CultureInfo.InvariantCulture);
        await File.WriteAllTextAsync(In("memory.limit_in_bytes", "memory.max"), limit);
        string swap = In("memory.memsw.limit_in_bytes", "memory.swap.max");
        if (File.Exists(swap))
        {
            await File.WriteAllTextAsync(swap, _isFirstVersion ? limit : "0");
        }

        // A file without an end of line is kept in memory as a whole.
        string[] command = [.. Starter(), "tail", "/dev/zero"];
        using Process eater = Process.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        try
        {
            await victim.ExitAsync();
        }
        finally
        {
            eater.Kill();
            await eater.WaitForExitAsync();
        }

        // In the other order, because the one with swap is never the lower one in version 1.
        foreach (string file in (string[])[swap, In("memory.limit_in_bytes", "memory.max")])
        {
            if (File.Exists(file))
            {
                await File.WriteAllTextAsync(file, _isFirstVersion ? "-1" : "max");
            }
        }
    }

    public void Dispose()
    {
        var waited = Stopwatch.StartNew();
        while (Directory.Exists(_path))
        {
            try
            {
                Directory.Delete(_path);
            }
            catch (IOException) when (waited.Elapsed < DaemonProcess.Deadline)
            {
                // A process that has been killed ends in it still.
                Thread.Sleep(TimeSpan.FromMilliseconds(20));
            }
        }
    }

    private string In(string first, string second) => Path.Combine(_path, _isFirstVersion ? first : second);
}
