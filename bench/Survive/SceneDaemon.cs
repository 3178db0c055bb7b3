using System.Diagnostics;
using System.Globalization;
using L4Balancer.Bench.Machine;
using L4Balancer.Bench.Survive.Peers;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Bench.Survive;

/// <summary>What happened to the daemon, its instants in nanoseconds of CLOCK_MONOTONIC.</summary>
/// <param name="Took">Of an upgrade what the command took, of a kill the time until the next process is ready.</param>
/// <param name="Fault">Why it failed; null if it did what it should.</param>
/// <param name="Said">What the command printed, or the log line about the recovery.</param>
internal sealed record SceneEvent(string Kind, long Begun, long Ended, TimeSpan Took, string? Fault, string Said);

/// <summary>
/// The daemon under what a service manager does for it: it gets NOTIFY_SOCKET, its main process is the one that MAINPID names, and after a
/// failure the same command is started again 100 ms later. Its output is one file, to which each of its processes appends.
/// </summary>
internal sealed class SceneDaemon : IDisposable
{
    private static readonly TimeSpan RestartDelay = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan UpgradePatience = TimeSpan.FromSeconds(60);

    private readonly List<Process> _started = [];
    private readonly string _program;
    private readonly string _folder;
    private readonly ServiceSocket _manager;

    /// <param name="folder">Of the scene; best a tmpfs, as /run is.</param>
    public SceneDaemon(string program, string folder, SurviveOptions options)
    {
        _program = program;
        _folder = folder;
        File.WriteAllText(Config, SceneConfig.Text(options, AdminSocket));
        _manager = new ServiceSocket(Path.Combine(folder, "notify"));
    }

    public int Main => _manager.Main;

    public DaemonFootprint Footprint => DaemonFootprint.Of(_program);

    public string Output => Path.Combine(_folder, "output.log");

    private string Config => Path.Combine(_folder, "balancer.toml");

    private string AdminSocket => Path.Combine(_folder, "admin.sock");

    /// <summary>Starts it and waits for READY.</summary>
    /// <returns>What is wrong; null if it is ready.</returns>
    public string? Start()
    {
        _manager.Starting();
        var start = new ProcessStartInfo("sh", ["-c", "exec \"$@\" >>\"$OUTPUT\" 2>&1", "sh", _program, "run", "--config", Config]);
        start.Environment["OUTPUT"] = Output;
        start.Environment["NOTIFY_SOCKET"] = Path.Combine(_folder, "notify");
        start.Environment["DOTNET_ROOT"] = OwnCommand.RuntimeRoot;
        Process process = Process.Start(start)!;
        Reaper.Own(process.Id);
        _started.Add(process);
        _manager.Started(process.Id);
        return Wait(() => _manager.Ready > 0 || process.HasExited, StartPatience) && !process.HasExited
            ? null
            : $"it does not start: {LastLine()}";
    }

    /// <summary>kill -9 of the main process, and the restart.</summary>
    public SceneEvent Kill()
    {
        int main = Main;
        long begun = Orders.Now;
        _ = Libc.kill(main, Libc.SIGKILL);
        Wait(() => !IsAlive(main), StartPatience);
        Thread.Sleep(RestartDelay);
        string? fault = Start();
        long ended = Orders.Now;
        var took = TimeSpan.FromTicks((ended - begun) / TimeSpan.NanosecondsPerTick);
        return new SceneEvent("kill", begun, ended, took, fault, LineOf("recover"));
    }

    /// <summary><c>l4balancer upgrade</c>. The event ends when the old process has ended.</summary>
    public SceneEvent Upgrade()
    {
        int old = Main;
        long begun = Orders.Now;
        var start = new ProcessStartInfo(_program, ["upgrade", "--admin", AdminSocket, "--timeout", "1m"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["DOTNET_ROOT"] = OwnCommand.RuntimeRoot;
        using Process command = Process.Start(start)!;
        Reaper.Own(command.Id);
        Task<string> said = command.StandardOutput.ReadToEndAsync();
        Task<string> errors = command.StandardError.ReadToEndAsync();
        if (!command.WaitForExit(UpgradePatience))
        {
            command.Kill();
        }

        command.WaitForExit();
        TimeSpan took = TimeSpan.FromTicks((Orders.Now - begun) / TimeSpan.NanosecondsPerTick);
        string last = string.Join("; ", (said.Result + errors.Result).Trim().Split('\n'));
        string? fault = command.ExitCode != 0 ? $"exit code {command.ExitCode.ToString(CultureInfo.InvariantCulture)}: {last}"
            : !Wait(() => Main != old && !IsAlive(old), UpgradePatience) ? $"the old process {old} lives on, or no MAINPID has come"
            : null;
        return new SceneEvent("upgrade", begun, Orders.Now, took, fault, last);
    }

    /// <summary>Whether the main process still runs.</summary>
    public bool IsRunning => IsAlive(Main);

    public void Dispose()
    {
        if (IsAlive(Main))
        {
            _ = Libc.kill(Main, Libc.SIGTERM);
            if (!Wait(() => !IsAlive(Main), TimeSpan.FromSeconds(10)))
            {
                _ = Libc.kill(Main, Libc.SIGKILL);
            }
        }

        _started.ForEach(static p => p.Dispose());
        _manager.Dispose();
    }

    /// <summary>Waits until its connections are closed and its log is written, by a stop in good order.</summary>
    /// <returns>Whether it stopped.</returns>
    public bool Stop()
    {
        int main = Main;
        _ = Libc.kill(main, 15);
        return Wait(() => !IsAlive(main), StartPatience);
    }

    // A zombie is not alive.
    private static bool IsAlive(int process)
    {
        try
        {
            string stat = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/stat"));
            return stat[stat.LastIndexOf(')') + 2] is not ('Z' or 'X');
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static bool Wait(Func<bool> condition, TimeSpan patience)
    {
        long start = Stopwatch.GetTimestamp();
        while (!condition())
        {
            if (Stopwatch.GetElapsedTime(start) > patience)
            {
                return false;
            }

            Thread.Sleep(2);
        }

        return true;
    }

    private string LastLine() => File.Exists(Output) ? File.ReadLines(Output).LastOrDefault() ?? "" : "";

    // The log is mostly access lines.
    private string LineOf(string word) => File.ReadLines(Output)
        .LastOrDefault(l => l.Contains(word, StringComparison.OrdinalIgnoreCase) && !l.Contains(" id=", StringComparison.Ordinal)) ?? "";
}
