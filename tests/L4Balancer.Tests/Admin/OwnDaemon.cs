using System.Net;

namespace L4Balancer.Tests.Admin;

/// <summary>A daemon of a test's own, with a backend that is not there and the API on TCP: for what <see cref="AdminScene"/> must not suffer.</summary>
internal static class OwnDaemon
{
    /// <summary>Starts it, with the token of <see cref="AdminScene"/>.</summary>
    public static async Task<DaemonProcess> StartAsync(SocketFolder folder)
    {
        await File.WriteAllTextAsync(folder.PathOf("token"), AdminScene.Token);
        DaemonProcess daemon = DaemonProcess.Run($"""
            [admin]
            socket = "{folder.SocketPath}"
            listen = "127.0.0.1:0"
            token_file = "{folder.PathOf("token")}"
            [[listeners]]
            name = "wss"
            bind = ["127.0.0.1:0"]
            pool = "chat"
            [[pools]]
            name = "chat"
            health = {"{ type = \"none\" }"}
            [[pools.backends]]
            name = "ws1"
            address = "127.0.0.1:9"
            """);
        await daemon.ReadyAsync();
        return daemon;
    }

    /// <summary>Where its API answers on TCP.</summary>
    public static async Task<IPEndPoint> TcpAsync(DaemonProcess daemon)
    {
        string line = await daemon.LineWithAsync("admin API on http://");
        return IPEndPoint.Parse(line[(line.IndexOf("http://", StringComparison.Ordinal) + 7)..]);
    }
}
