using System.Diagnostics;
using System.Net;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using NUnit.Framework.Internal;

namespace L4Balancer.Tests;

/// <summary>
/// The built daemon as a process of its own. Its output is collected line by line; every wait has a deadline and says what was
/// printed when it passes. Disposal kills what is left, by its own handle.
/// </summary>
internal sealed partial class DaemonProcess : IAsyncDisposable
{
    /// <summary>
    /// Of every fixture that starts the daemon as a process. <c>make test-native</c> runs them once more, against the published executable.
    /// </summary>
    public const string Category = "Daemon";

    /// <summary>
    /// Beside <see cref="Category"/>: what it proves is logic that does not differ between the builds, and is proven once, with the portable one.
    /// <c>make test-native</c> leaves it out.
    /// </summary>
    public const string OfLogic = "Logic";

    /// <summary>
    /// Beside <see cref="Category"/>, of single cases: more of what others prove with both builds, with so many processes that the portable build
    /// spends most of the time compiling. <c>make test</c> leaves it out; <c>make test-native</c> and a plain <c>dotnet test</c> run it.
    /// </summary>
    public const string OfPublished = "Published";

    public const int SIGHUP = 1;
    public const int SIGINT = 2;
    public const int SIGQUIT = 3;
    public const int SIGKILL = 9;
    public const int SIGUSR1 = 10;
    public const int SIGUSR2 = 12;
    public const int SIGTERM = 15;
    public const int SIGCONT = 18;
    public const int SIGSTOP = 19;

    /// <summary>Generous: the machine that runs the tests may be busy with something else.</summary>
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    /// <summary>For commands: a daemon on a busy machine may take longer than the five seconds that a command waits.</summary>
    public static readonly string[] Patiently = ["--timeout", "60s"];

    // What would change the daemon's behaviour from outside of the test.
    private static readonly string[] Inherited = ["L4BALANCER_CONFIG", "NOTIFY_SOCKET", "JOURNAL_STREAM", "INVOCATION_ID"];

    private static readonly Lazy<string> Files = new(() =>
    {
        string folder = Directory.CreateDirectory(Path.Combine(Path.GetTempPath(), $"l4balancer-test-{Environment.ProcessId}")).FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(folder, recursive: true);
        return folder;
    });

    private readonly Process _process;
    private readonly List<string> _output = [];
    private readonly List<string> _errors = [];
    private readonly Predicate<string> _taken;
    private readonly Task _reading;

    private DaemonProcess(Process process, Predicate<string> taken)
    {
        _process = process;
        _taken = taken;
        _reading = Task.WhenAll(ReadAsync(process.StandardOutput, _output), ReadAsync(process.StandardError, _errors));
    }

    /// <summary>The executable that L4BALANCER_TEST_DAEMON names; null where the tests run the build beside them.</summary>
    public static string? Executable =>
        Environment.GetEnvironmentVariable("L4BALANCER_TEST_DAEMON") is { Length: > 0 } path ? Path.GetFullPath(path) : null;

    /// <summary>The program and its first arguments that stand for <c>l4balancer</c>.</summary>
    public static IReadOnlyList<string> CommandLine { get; } =
        Executable is string executable ? [executable] : [Host(), Path.Combine(AppContext.BaseDirectory, "l4balancer.dll")];

    /// <summary>What a shell has to run for <c>l4balancer</c>.</summary>
    public static string Command => string.Join(' ', CommandLine);

    /// <summary>What it keeps for itself, the portable runtime's open assemblies included.</summary>
    public static int OwnDescriptors => Executable is null ? 256 : 64;

    // A shell that runs the tests in the background ignores SIGINT and SIGQUIT (below nohup SIGHUP), and so would every program that is started below it.
    private static string[] WithSignals => OperatingSystem.IsLinux() ? ["/usr/bin/env", "--default-signal=INT,QUIT,HUP"] : [];

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <summary>Standard output until now.</summary>
    public IReadOnlyList<string> Output => Copy(_output);

    /// <summary>Standard error until now.</summary>
    public IReadOnlyList<string> Errors => Copy(_errors);

    /// <summary>Physical memory that it holds now.</summary>
    public long ResidentBytes
    {
        get
        {
            _process.Refresh();
            return _process.WorkingSet64;
        }
    }

    /// <param name="args">The command line after <c>l4balancer</c>.</param>
    public static DaemonProcess Start(params string[] args) => Start(new Dictionary<string, string>(), [], args);

    /// <param name="environment">Set in addition to the tests' own.</param>
    /// <param name="wrapper">A program with arguments that starts the daemon in its place (<c>prlimit --nofile=300</c>); it must exec.</param>
    public static DaemonProcess Start(IReadOnlyDictionary<string, string> environment, string[] wrapper, params string[] args)
    {
        Assert.That(
            CategoriesOf(TestExecutionContext.CurrentContext.CurrentTest), Does.Contain(Category),
            $"a fixture that starts the daemon has [Category(DaemonProcess.{nameof(Category)})], or make test-native would pass it over");
        return Start(environment, wrapper, static _ => false, args);
    }

    /// <summary>As above, for what is not a test, and for a long run.</summary>
    /// <param name="taken">Called with each line of output; one that it takes is not kept.</param>
    public static DaemonProcess Start(
        IReadOnlyDictionary<string, string> environment, string[] wrapper, Predicate<string> taken, params string[] args)
    {
        string[] command = [.. WithSignals, .. wrapper, .. CommandLine, .. args];
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true };
        Array.ForEach(Inherited, name => start.Environment.Remove(name));

        // Of the portable build: a process that is killed would leave its diagnostics socket and pipes in the temporary folder.
        start.Environment["DOTNET_EnableDiagnostics"] = "0";
        foreach ((string name, string value) in environment)
        {
            start.Environment[name] = value;
        }

        return new DaemonProcess(Process.Start(start)!, taken);
    }

    /// <summary>Starts <c>run</c> with this configuration, from a file that lies beside the tests' own.</summary>
    /// <param name="toml">Without an <c>[admin]</c> of its own there is no local socket: the tests run side by side.</param>
    public static DaemonProcess Run(string toml) => Start(
        "run", "--config", ConfigFileWith(toml.Contains("[admin]", StringComparison.Ordinal) ? toml : toml + "\n[admin]\nsocket = \"\"\n"));

    /// <summary>A new file with this text, in a folder that is removed at the end of the run.</summary>
    public static string ConfigFileWith(string toml)
    {
        string path = Path.Combine(Files.Value, $"{Guid.NewGuid():N}.toml");
        File.WriteAllText(path, toml);
        return path;
    }

    /// <summary>Waits for a line of standard output that contains the text.</summary>
    /// <param name="count">The how-manieth such line.</param>
    public Task<string> LineWithAsync(string text, int count = 1) => LineAsync(line => line.Contains(text, StringComparison.Ordinal), text, count);

    /// <summary>Waits until the daemon takes connections.</summary>
    public Task<string> ReadyAsync() => LineWithAsync("ready: ");

    /// <summary>Where a listener is bound, with the port that the kernel chose.</summary>
    /// <param name="place">0 for its first address.</param>
    public async Task<IPEndPoint> ListenerAsync(string name, int place = 0)
    {
        string line = await LineWithAsync($"(listener {name})", place + 1);
        return IPEndPoint.Parse(ListeningOn().Match(line).Groups[1].Value);
    }

    /// <summary>The address of the metrics, with the port that the kernel chose.</summary>
    public async Task<Uri> MetricsAsync()
    {
        string line = await LineWithAsync("metrics on ");
        return new Uri(line[line.IndexOf("http://", StringComparison.Ordinal)..]);
    }

    public void Signal(int number) => Assert.That(Kill(_process.Id, number), Is.Zero, $"kill({_process.Id}, {number})");

    /// <returns>The exit code, once all output has been read.</returns>
    public async Task<int> ExitAsync(TimeSpan? deadline = null)
    {
        using var passed = new CancellationTokenSource(deadline ?? Deadline);
        try
        {
            await _process.WaitForExitAsync(passed.Token);
            await _reading;
        }
        catch (OperationCanceledException)
        {
            Assert.Fail($"still running after {deadline ?? Deadline}{Printed()}");
        }

        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            // With its keeper, which would hold its sockets for a while.
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
    }

    private async Task<string> LineAsync(Predicate<string> wanted, string what, int count)
    {
        var waited = Stopwatch.StartNew();
        while (true)
        {
            lock (_output)
            {
                if (_output.FindAll(wanted) is { } found && found.Count >= count)
                {
                    return found[count - 1];
                }

                if (_reading.IsCompleted || waited.Elapsed > Deadline)
                {
                    break;
                }
            }

            await NextLineAsync();
        }

        Assert.Fail($"no line with \"{what}\" within {Deadline}{Printed()}");
        return "";
    }

    // A pulse per line; the bound lets the deadline and the end of the process be seen without one.
    private Task NextLineAsync() => Task.Run(() =>
    {
        lock (_output)
        {
            Monitor.Wait(_output, TimeSpan.FromMilliseconds(50));
        }
    });

    private async Task ReadAsync(StreamReader reader, List<string> lines)
    {
        while (await reader.ReadLineAsync() is string line)
        {
            if (_taken(line))
            {
                continue;
            }

            lock (lines)
            {
                lines.Add(line);
                Monitor.PulseAll(lines);
            }
        }
    }

    // Its own, and those of the fixtures around it.
    private static IEnumerable<object?> CategoriesOf(Test? test)
    {
        for (; test is not null; test = test.Parent as Test)
        {
            foreach (object? category in test.Properties[PropertyNames.Category])
            {
                yield return category;
            }
        }
    }

    private string Printed() => $"\nstdout:\n{string.Join('\n', Output)}\nstderr:\n{string.Join('\n', Errors)}";

    private static string[] Copy(List<string> lines)
    {
        lock (lines)
        {
            return [.. lines];
        }
    }

    // The tests' own host is the dotnet that built them.
    private static string Host() =>
        Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet" ? Environment.ProcessPath!
        : Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";

    [GeneratedRegex(@"listening on (\S+) \(listener")]
    private static partial Regex ListeningOn();

    [DllImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Kill(int pid, int signal);
}
