using System.Diagnostics;

namespace L4Balancer.Tests.EndToEnd;

/// <summary>A server or client in another language, started from <c>EndToEnd/peers</c>. A server lives until its standard input ends.</summary>
internal sealed class PeerProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly Task<string> _errors;

    private PeerProcess(Process process)
    {
        _process = process;
        _errors = process.StandardError.ReadToEndAsync();
    }

    private static string Modules => Repository.PathOf("tests", "L4Balancer.Tests", "npm", "node_modules");

    /// <summary>Skips the test where node or one of its packages is not there.</summary>
    public static void RequireNode(params ReadOnlySpan<string> packages)
    {
        Require(CanRun("node", "--version"), "node is not installed");
        foreach (string package in packages)
        {
            Require(Directory.Exists(Path.Combine(Modules, package)), $"the npm package {package} is not installed");
        }
    }

    /// <summary>Skips the test where Debian's interpreter or its websockets module is not there.</summary>
    public static void RequirePythonWebSockets() =>
        Require(CanRun(Python, "-c", "import websockets"), "python3-websockets is not installed");

    /// <summary>Debian's, not another one that may come first on the PATH: that one has not Debian's modules.</summary>
    private static string Python => "/usr/bin/python3";

    public static PeerProcess Start(string script, params IEnumerable<string> args)
    {
        string file = Repository.PathOf("tests", "L4Balancer.Tests", "EndToEnd", "peers", script);
        var start = new ProcessStartInfo(script.EndsWith(".py", StringComparison.Ordinal) ? Python : "node", [file, .. args])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["NODE_PATH"] = Modules;
        start.Environment["PYTHONIOENCODING"] = "utf-8";
        return new PeerProcess(Process.Start(start)!);
    }

    /// <summary>Waits for a server to say its port.</summary>
    public async Task<int> PortAsync(CancellationToken cancel) => (await PortsAsync(cancel)).Single();

    /// <summary>Waits for several servers in one process to say their ports.</summary>
    public async Task<int[]> PortsAsync(CancellationToken cancel)
    {
        string? line = await _process.StandardOutput.ReadLineAsync(cancel);
        Assert.That(line, Does.StartWith("listening "), line is null ? await _errors.WaitAsync(cancel) : "");
        return [.. line!.Split(' ').Skip(1).Select(port => int.Parse(port, System.Globalization.CultureInfo.InvariantCulture))];
    }

    /// <summary>Waits for it to say that it has come so far.</summary>
    public async Task SaysAsync(string line, CancellationToken cancel)
    {
        string? said = await _process.StandardOutput.ReadLineAsync(cancel);
        Assert.That(said, Is.EqualTo(line), said is null ? await _errors.WaitAsync(cancel) : "");
    }

    /// <summary>Lets the process continue.</summary>
    public Task GoOnAsync() => _process.StandardInput.WriteLineAsync("go on");

    /// <summary>Waits for a client to end well.</summary>
    /// <returns>What it printed.</returns>
    public async Task<string> OutputAsync(CancellationToken cancel)
    {
        string output = await _process.StandardOutput.ReadToEndAsync(cancel);
        await _process.WaitForExitAsync(cancel);
        Assert.That(_process.ExitCode, Is.Zero, await _errors.WaitAsync(cancel));
        return output;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
    }

    private static void Require(bool present, string reason)
    {
        if (!present)
        {
            Assert.Ignore(reason + ": make test-deps");
        }
    }

    private static bool CanRun(string program, params string[] args)
    {
        try
        {
            using Process process = Process.Start(
                new ProcessStartInfo(program, args) { RedirectStandardError = true, RedirectStandardOutput = true })!;
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }
}
