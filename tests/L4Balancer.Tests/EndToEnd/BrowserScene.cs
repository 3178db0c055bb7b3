using System.Net;

namespace L4Balancer.Tests.EndToEnd;

/// <summary>A daemon with its admin API on TCP, for a page in a real browser.</summary>
internal sealed class BrowserScene : IAsyncDisposable
{
    public const string Chromium = "/usr/bin/chromium";

    private readonly string _tokenFile;

    private BrowserScene(DaemonProcess daemon, string tokenFile)
    {
        Daemon = daemon;
        _tokenFile = tokenFile;
    }

    public DaemonProcess Daemon { get; }

    public IPEndPoint Listener { get; private set; } = null!;

    /// <summary>Where the API and the status page are, without a slash at the end.</summary>
    public string Admin { get; private set; } = "";

    /// <summary>The test is ignored where there is no browser.</summary>
    public static void Require()
    {
        PeerProcess.RequireNode("playwright-core");
        if (!File.Exists(Chromium))
        {
            Assert.Ignore("chromium is not installed: make test-deps");
        }
    }

    /// <param name="token">Of the API; empty: there is none.</param>
    /// <param name="pool">The rest of the file: further lines of the pool, and its backends.</param>
    public static async Task<BrowserScene> StartAsync(string token, string pool)
    {
        string tokenFile = "";
        if (token.Length > 0)
        {
            tokenFile = Path.Combine(Path.GetTempPath(), $"l4balancer-token-{Guid.NewGuid():N}");
            await File.WriteAllTextAsync(tokenFile, token);
        }

        var scene = new BrowserScene(DaemonProcess.Run($"""
            [balancer]
            shutdown_grace = "0s"
            [admin]
            socket = ""
            listen = "127.0.0.1:0"
            token_file = "{tokenFile}"
            [[listeners]]
            name = "wss"
            bind = ["127.0.0.1:0"]
            pool = "chat"
            [[pools]]
            name = "chat"
            {pool}
            """), tokenFile);
        try
        {
            await scene.AwaitAsync();
            return scene;
        }
        catch
        {
            await scene.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Daemon.DisposeAsync();
        if (_tokenFile.Length > 0)
        {
            File.Delete(_tokenFile);
        }
    }

    private async Task AwaitAsync()
    {
        await Daemon.ReadyAsync();
        Listener = await Daemon.ListenerAsync("wss");
        string line = await Daemon.LineWithAsync("admin API on http://");
        Admin = line[line.IndexOf("http://", StringComparison.Ordinal)..].TrimEnd('/');
    }
}
