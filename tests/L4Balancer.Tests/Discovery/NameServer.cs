using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Discovery;

namespace L4Balancer.Tests.Discovery;

/// <summary>A real name server (named of BIND) in the foreground, on a port of its own, with one zone: <c>svc.test</c>.</summary>
internal sealed class NameServer : IAsyncDisposable
{
    public const string Service = "_ws._tcp.chat.svc.test";

    private const string Executable = "/usr/local/sbin/named";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("l4b-named-");
    private Process? _process;
    private int _serial;

    private NameServer(string host)
    {
        // The same number for UDP and TCP, chosen by TCP: among the numbers that UDP is given are many of outgoing TCP connections, and where
        // one of those is left in TIME_WAIT, named would serve UDP alone. Another program could take it in between; then the start fails.
        using var tcp = new TcpListener(IPAddress.Parse(host), 0);
        tcp.Start();
        using var udp = new UdpClient((IPEndPoint)tcp.LocalEndpoint);
        Address = Endpoint.From((IPEndPoint)udp.Client.LocalEndPoint!);
    }

    public Endpoint Address { get; }

    public int Id => _process!.Id;

    /// <summary>Started with this zone; skips the test where there is no named.</summary>
    public static async Task<NameServer> StartAsync(string records, string host = "127.0.0.1")
    {
        if (!File.Exists(Executable))
        {
            Assert.Ignore($"no {Executable} (make test-deps)");
        }

        var server = new NameServer(host);
        try
        {
            await File.WriteAllTextAsync(server.PathOf("named.conf"), $$"""
                options {
                    directory "{{server._folder.FullName}}";
                    listen-on port {{server.Address.Port}} { {{host}}; };
                    listen-on-v6 { none; };
                    pid-file none;
                    session-keyfile none;
                    recursion no;
                    minimal-responses no;
                    dnssec-validation no;
                };
                controls { };
                zone "svc.test" { type primary; file "zone"; };
                """);
            await server.WriteAsync(records);
            await server.StartAsync();
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts the process, and waits until it serves.</summary>
    public async Task StartAsync()
    {
        var start = new ProcessStartInfo(Executable, ["-g", "-n", "1", "-c", PathOf("named.conf")]) { RedirectStandardError = true };
        Process process = _process = Process.Start(start)!;
        var serves = new TaskCompletionSource();
        var output = new List<string>();
        process.ErrorDataReceived += (_, line) =>
        {
            lock (output)
            {
                output.Add(line.Data ?? "");
            }

            if (line.Data is null || line.Data.EndsWith(" running", StringComparison.Ordinal))
            {
                serves.TrySetResult();
            }
        };
        process.BeginErrorReadLine();
        await serves.Task.WaitAsync(DaemonProcess.Deadline);
        lock (output)
        {
            Assert.That(process.HasExited, Is.False, string.Join('\n', output));
        }
    }

    /// <summary>Replaces the records of the zone.</summary>
    public async Task WriteAsync(string records)
    {
        string zone = $"""
            $TTL 1
            @ IN SOA ns hostmaster {++_serial} 60 60 60 1
            @ IN NS ns
            ns IN A 127.0.0.1
            {records}

            """;
        await File.WriteAllTextAsync(PathOf("next"), zone);
        File.Move(PathOf("next"), PathOf("zone"), overwrite: true);
        if (_process is { HasExited: false })
        {
            Kill("HUP");
        }
    }

    /// <summary>An SRV record and a target of its own for each backend.</summary>
    public Task WriteAsync(IReadOnlyList<DiscoveredBackend> backends) => WriteAsync(string.Concat(backends.Select(static (b, i) =>
        $"_ws._tcp.chat IN SRV 10 {b.Weight} {b.Address.Port} b{b.Address.Port}\nb{b.Address.Port} IN A {b.Address.Address}\n")));

    /// <summary>HUP, STOP, CONT or KILL.</summary>
    public void Kill(string signal)
    {
        using Process kill = Process.Start("kill", ["-s", signal, _process!.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    public async Task StopAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { } process)
        {
            if (!process.HasExited)
            {
                process.Kill();
                await process.WaitForExitAsync();
            }

            process.Dispose();
        }

        _folder.Delete(recursive: true);
    }

    private string PathOf(string name) => Path.Combine(_folder.FullName, name);
}
