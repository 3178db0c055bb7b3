using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Text.Json;
using L4Balancer.CommandLine;
using L4Balancer.Tests.Admin;

namespace L4Balancer.Tests.Recovery;

/// <summary>Daemons that follow one another with one configuration, in a folder of their own, before a backend that lives on.</summary>
[SupportedOSPlatform("linux")]
internal sealed class CrashScene : IAsyncDisposable
{
    private readonly SocketFolder _folder = new();
    private readonly List<DaemonProcess> _daemons = [];
    private readonly List<TcpClient> _clients = [];

    public EchoPeer Backend { get; } = new();

    public string SocketPath => _folder.SocketPath;

    /// <summary>Where the files of keepers lie.</summary>
    public string KeeperFolder => _folder.PathOf("keeper");

    /// <summary>The file that counts the heirs that have failed.</summary>
    public string HeirsPath => Path.Combine(KeeperFolder, "heirs");

    public string ConfigPath => _folder.PathOf("balancer.toml");

    /// <summary>Of the first daemon; the next ones have the same.</summary>
    public IPEndPoint Listener { get; private set; } = new(IPAddress.Loopback, 0);

    /// <summary>Of the daemon that started last.</summary>
    public int Keeper { get; private set; }

    /// <summary>In the table [balancer].</summary>
    public string Settings { get; set; } = "";

    /// <summary>After the usual listener and pool.</summary>
    public string More { get; set; } = "";

    /// <summary>The tables of the pool; those that follow it come from <see cref="More"/>.</summary>
    public string Pool { get; set; } = """
        [[pools]]
        name = "chat"
        health = { type = "none" }
        [[pools.backends]]
        name = "ws1"
        address = "{backend}"
        """;

    public string PoolOfListener { get; set; } = "chat";

    /// <summary>Starts a daemon, and waits until it is ready. Without a keeper in this build the test is skipped.</summary>
    public async Task<DaemonProcess> StartAsync(string[]? wrapper = null)
    {
        DaemonProcess daemon = Begin(wrapper);
        await daemon.ReadyAsync();
        Listener = await daemon.ListenerAsync("wss");
        string said = await daemon.LineWithAsync("a crash of this daemon");
        if (said.Contains("this build does not have it", StringComparison.Ordinal))
        {
            Assert.Ignore(said);
        }

        int at = said.IndexOf("process ", StringComparison.Ordinal) + "process ".Length;
        Keeper = said.Contains("connections outlive", StringComparison.Ordinal)
            ? int.Parse(said[at..].Split(' ')[0], CultureInfo.InvariantCulture) : 0;
        return daemon;
    }

    /// <summary>Starts one that is perhaps not going to be ready.</summary>
    public DaemonProcess Begin(string[]? wrapper = null, IReadOnlyDictionary<string, string>? environment = null)
    {
        File.WriteAllText(ConfigPath, Config());
        var daemon = DaemonProcess.Start(environment ?? new Dictionary<string, string>(), wrapper ?? [], "run", "--config", ConfigPath);
        _daemons.Add(daemon);
        return daemon;
    }

    /// <summary>SIGKILL, and until the kernel has ended it.</summary>
    public static async Task KillAsync(DaemonProcess daemon)
    {
        daemon.Signal(DaemonProcess.SIGKILL);
        await daemon.ExitAsync();
    }

    public async Task<TcpClient> ConnectAsync()
    {
        TcpClient client = await Talk.ConnectAsync(Listener);
        _clients.Add(client);
        return client;
    }

    /// <summary>So many connections that have been relayed a word each way.</summary>
    public async Task<TcpClient[]> ConnectAsync(int count)
    {
        var clients = new TcpClient[count];
        for (int i = 0; i < count; i++)
        {
            clients[i] = await ConnectAsync();
            await Talk.EchoAsync(clients[i], $"hello {i}");
        }

        // A client has its bytes a moment before the event loop notes that they are written. Each loop answers this after it has.
        await IdsAsync();
        return clients;
    }

    public Task<JsonElement> GetAsync(string path) => _folder.GetAsync(path);

    public Task<string> MetricsAsync() => _folder.Http.GetStringAsync("/metrics");

    /// <summary>A command of the daemon's own program.</summary>
    public async Task AskAsync(params string[] command)
    {
        using var output = new StringWriter();
        using var errors = new StringWriter();
        Assert.That(await CommandLineRoot.InvokeAsync([.. command, "--admin", SocketPath, .. DaemonProcess.Patiently], output, errors), Is.Zero, errors.ToString());
    }

    /// <summary>The ids of the connections that the daemon has.</summary>
    public async Task<ulong[]> IdsAsync()
    {
        JsonElement answer = await GetAsync("/v1/connections");
        return [.. answer.GetProperty("connections").EnumerateArray().Select(static c => c.GetProperty("id").GetUInt64()).Order()];
    }

    public static async Task UntilAsync(Func<bool> condition, string what)
    {
        var waited = Stopwatch.StartNew();
        using var looks = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!condition())
        {
            Assert.That(waited.Elapsed, Is.LessThan(DaemonProcess.Deadline), what);
            await looks.WaitForNextTickAsync();
        }
    }

    /// <summary>Whether a process has ended, even if nobody has waited for it.</summary>
    public static bool HasEnded(int process)
    {
        try
        {
            string stat = File.ReadAllText($"/proc/{process}/stat");
            return stat[(stat.LastIndexOf(')') + 2)..].StartsWith('Z');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return true;
        }
    }

    public async ValueTask DisposeAsync()
    {
        _clients.ForEach(static c => c.Dispose());
        foreach (DaemonProcess daemon in _daemons)
        {
            await daemon.DisposeAsync();
        }

        await Backend.DisposeAsync();
        EndKeepers();
        _folder.Dispose();
    }

    // The names of the sockets say whose keepers they are; each ends by itself soon, but a test may have given it much time.
    private void EndKeepers()
    {
        if (Keeper > 0 && !HasEnded(Keeper) && File.ReadAllText($"/proc/{Keeper}/comm").Trim() == "l4b-keeper")
        {
            using Process keeper = Process.GetProcessById(Keeper);
            keeper.Kill();
        }
    }

    private string Config() => $$"""
        [balancer]
        access_log = "all"
        shutdown_grace = "0s"
        workers = 2
        {{Settings}}
        [admin]
        socket = "{{SocketPath}}"
        [[listeners]]
        name = "wss"
        bind = ["{{Listener}}"]
        pool = "{{PoolOfListener}}"
        {{Pool.Replace("{backend}", Backend.Endpoint.ToString(), StringComparison.Ordinal)}}
        {{More}}
        """;
}
