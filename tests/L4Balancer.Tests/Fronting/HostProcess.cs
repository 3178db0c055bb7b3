using System.Diagnostics;

namespace L4Balancer.Tests.Fronting;

/// <summary>A program on a host, with what it has printed. Disposal kills it and what it has started.</summary>
internal sealed class HostProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly List<string> _output = [];
    private readonly Task _reading;

    public HostProcess(VirtualHost host, params string[] command)
    {
        string[] whole = [.. host.Enter, .. command];
        var start = new ProcessStartInfo(whole[0], whole[1..]) { RedirectStandardOutput = true, RedirectStandardError = true };
        _process = Process.Start(start)!;
        _reading = Task.WhenAll(ReadAsync(_process.StandardOutput), ReadAsync(_process.StandardError));
    }

    /// <summary>Both of its streams until now.</summary>
    public string[] Output
    {
        get
        {
            lock (_output)
            {
                return [.. _output];
            }
        }
    }

    public int CountOf(string text) => Output.Count(l => l.Contains(text, StringComparison.Ordinal));

    /// <returns>The exit code, once it has ended by itself and all output has been read.</returns>
    public async Task<int> ExitAsync()
    {
        await _process.WaitForExitAsync().WaitAsync(DaemonProcess.Deadline);
        await _reading.WaitAsync(DaemonProcess.Deadline);
        return _process.ExitCode;
    }

    /// <summary>SIGKILL, and the end of all that it has started.</summary>
    /// <param name="alone">What it has started gets no signal, and is waited for until it has ended by itself.</param>
    public async Task KillAsync(bool alone = false)
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: !alone);
        }

        await _process.WaitForExitAsync().WaitAsync(DaemonProcess.Deadline);
        await _reading.WaitAsync(DaemonProcess.Deadline);
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        _process.Dispose();
    }

    private async Task ReadAsync(StreamReader reader)
    {
        while (await reader.ReadLineAsync() is string line)
        {
            lock (_output)
            {
                _output.Add(line);
            }
        }
    }
}
