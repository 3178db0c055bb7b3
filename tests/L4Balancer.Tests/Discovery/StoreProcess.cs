using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace L4Balancer.Tests.Discovery;

/// <summary>A store as a process in the foreground that listens on a port. Disposal kills it, by its own handle.</summary>
internal sealed class StoreProcess(string program, string[] arguments, int port, string host = "127.0.0.1") : IAsyncDisposable
{
    private readonly List<string> _log = [];
    private Process? _process;

    public bool IsRunning => _process is { HasExited: false };

    public int Port => port;

    public string Server => $"{host}:{port}";

    /// <summary>Starts, or starts again, and waits until it accepts connections.</summary>
    public async Task StartAsync()
    {
        Start();
        await AcceptsAsync();
    }

    public void Start()
    {
        Assert.That(IsRunning, Is.False, $"{program} runs");
        _process?.Dispose();
        _process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        _process.OutputDataReceived += Take;
        _process.ErrorDataReceived += Take;
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public async Task AcceptsAsync()
    {
        var waited = Stopwatch.StartNew();
        while (true)
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                await socket.ConnectAsync(IPEndPoint.Parse(Server));
                return;
            }
            catch (SocketException)
            {
                Assert.That(IsRunning, $"{program} has ended:\n{Log()}");
                Assert.That(waited.Elapsed, Is.LessThan(DaemonProcess.Deadline), $"{program} does not listen on {port}:\n{Log()}");
                await Task.Delay(20);
            }
        }
    }

    /// <summary>kill -9.</summary>
    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>SIGSTOP: its sockets stay open, and nothing answers.</summary>
    public void Stop() => Signal("STOP");

    public void Continue() => Signal("CONT");

    /// <summary>
    /// Ports of loopback that are free, each once. They are outside of the range from which the kernel takes ports for others (32768 to 60999 by
    /// default): a store may take seconds until it listens.
    /// </summary>
    public static int[] FreePorts(int count)
    {
        var sockets = new List<Socket>();
        try
        {
            while (sockets.Count < count)
            {
                var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                try
                {
                    socket.Bind(new IPEndPoint(IPAddress.Loopback, Random.Shared.Next(12_000, 32_000)));
                    sockets.Add(socket);
                }
                catch (SocketException)
                {
                    socket.Dispose();
                }
            }

            return [.. sockets.Select(s => ((IPEndPoint)s.LocalEndPoint!).Port)];
        }
        finally
        {
            sockets.ForEach(s => s.Dispose());
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (IsRunning)
        {
            await KillAsync();
        }

        _process?.Dispose();
    }

    public string Log()
    {
        lock (_log)
        {
            return string.Join('\n', _log);
        }
    }

    private void Take(object sender, DataReceivedEventArgs line)
    {
        lock (_log)
        {
            _log.Add(line.Data ?? "");
        }
    }

    private void Signal(string name)
    {
        using Process kill = Process.Start("kill", ["-s", name, $"{_process!.Id}"]);
        kill.WaitForExit();
        Assert.That(kill.ExitCode, Is.Zero);
    }
}
