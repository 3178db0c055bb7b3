using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace L4Balancer.Tests.Etcd;

/// <summary>One member of etcd as a process, with a folder and ports of its own. Disposal kills it, by its own handle.</summary>
internal sealed class EtcdServer : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("l4balancer-etcd-");
    private readonly string _cluster;
    private readonly string[] _more;
    private readonly string[] _wrapper;
    private Process? _process;

    private EtcdServer(
        string name, int clientPort, int peerPort, string scheme, string cluster, string[] more, string host = "127.0.0.1", string[]? wrapper = null)
    {
        Name = name;
        _wrapper = wrapper ?? [];
        Client = new Uri($"{scheme}://{host}:{clientPort}");
        Peer = new Uri($"http://{host}:{peerPort}");
        _cluster = cluster.Length > 0 ? cluster : $"{name}={Peer.OriginalString}";
        _more = more;
    }

    public string Name { get; }

    /// <summary>Where clients connect.</summary>
    public Uri Client { get; }

    public Uri Peer { get; }

    public bool IsRunning => _process is { HasExited: false };

    /// <summary>Skips the test where there is no etcd.</summary>
    public static void Require()
    {
        bool found = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(p => File.Exists(Path.Combine(p, "etcd")));
        if (!found)
        {
            Assert.Ignore("no etcd (the file of Debian's package etcd-server, see .ci/test-deps)");
        }
    }

    /// <summary>A member of its own cluster, answering.</summary>
    /// <param name="more">Further options of etcd.</param>
    public static async Task<EtcdServer> StartAsync(string scheme = "http", params string[] more)
    {
        Require();
        int[] ports = FreePorts(2);
        var server = new EtcdServer("m1", ports[0], ports[1], scheme, "", more);
        server.Start();
        await server.ReadyAsync();
        return server;
    }

    /// <summary>A member of its own cluster at an address of this host, answering.</summary>
    public static async Task<EtcdServer> AtAsync(string host)
    {
        Require();
        int[] ports = FreePorts(2);
        var server = new EtcdServer("m1", ports[0], ports[1], "http", "", [], host);
        server.Start();
        await server.ReadyAsync();
        return server;
    }

    /// <summary>A member of its own cluster behind a network that can be cut, answering.</summary>
    public static async Task<EtcdServer> StartAsync(CutNetwork network)
    {
        Require();
        var server = new EtcdServer("m1", 2379, 2380, "http", "", [], network.Far, network.Wrapper);
        server.Start();
        await server.ReadyAsync();
        return server;
    }

    /// <summary>A member of a cluster, not started.</summary>
    /// <param name="wrapper">What its command begins with.</param>
    public static EtcdServer Of(string name, string host, int clientPort, int peerPort, string cluster, string[]? wrapper = null) =>
        new(name, clientPort, peerPort, "http", cluster, [], host, wrapper);

    /// <summary>Starts, or starts again with the same data.</summary>
    public void Start()
    {
        Assert.That(IsRunning, Is.False, $"{Name} runs");
        _process?.Dispose();
        string[] options =
        [
            "--name", Name, "--data-dir", Path.Combine(_folder.FullName, "data"), "--unsafe-no-fsync",
            "--listen-client-urls", Client.OriginalString, "--advertise-client-urls", Client.OriginalString,
            "--listen-peer-urls", Peer.OriginalString, "--initial-advertise-peer-urls", Peer.OriginalString,
            "--initial-cluster", _cluster, "--logger", "zap", "--log-outputs", Path.Combine(_folder.FullName, "log"), .. _more,
        ];
        string[] command = [.. _wrapper, "etcd", .. options];
        _process = Process.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        _process.OutputDataReceived += static (_, _) => { };
        _process.ErrorDataReceived += static (_, _) => { };
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>Waits until it has a leader and serves.</summary>
    public async Task ReadyAsync()
    {
        using HttpClient http = new(new SocketsHttpHandler
        {
            SslOptions = { RemoteCertificateValidationCallback = static (_, certificate, _, _) => certificate is not null },
        })
        { Timeout = TimeSpan.FromSeconds(2) };
        var waited = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                // With users or client certificates, an error is an answer too.
                using var body = new StringContent("""{"key":"AA==","limit":"1"}""");
                using HttpResponseMessage answer = await http.PostAsync(new Uri(Client, "/v3/kv/range"), body);
                if ((int)answer.StatusCode < 500)
                {
                    return;
                }
            }
            catch (HttpRequestException e) when (e.InnerException is IOException && Client.Scheme == "https")
            {
                // It asks for a client certificate.
                return;
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
            {
            }

            Assert.That(waited.Elapsed, Is.LessThan(DaemonProcess.Deadline), $"{Name} does not serve:\n{Log()}");
            Assert.That(_process!.HasExited, Is.False, $"{Name} has ended:\n{Log()}");
            await Task.Delay(20);
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

    /// <summary>Killed, emptied and started: the store of one that has lost its disk.</summary>
    public async Task WipeAsync()
    {
        if (IsRunning)
        {
            await KillAsync();
        }

        Directory.Delete(Path.Combine(_folder.FullName, "data"), recursive: true);
        Start();
        await ReadyAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (IsRunning)
        {
            await KillAsync();
        }

        _process?.Dispose();
        _folder.Delete(recursive: true);
    }

    /// <summary>Ports of loopback that were free a moment ago, each once.</summary>
    public static int[] FreePorts(int count)
    {
        var sockets = new List<Socket>();
        try
        {
            for (int i = 0; i < count; i++)
            {
                var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                sockets.Add(socket);
                socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            }

            return [.. sockets.Select(s => ((IPEndPoint)s.LocalEndPoint!).Port)];
        }
        finally
        {
            sockets.ForEach(s => s.Dispose());
        }
    }

    private void Signal(string name)
    {
        using Process kill = Process.Start("kill", ["-s", name, $"{_process!.Id}"]);
        kill.WaitForExit();
        Assert.That(kill.ExitCode, Is.Zero);
    }

    private string Log() => File.Exists(Path.Combine(_folder.FullName, "log")) ? File.ReadAllText(Path.Combine(_folder.FullName, "log")) : "(no log)";
}
