using System.Net;
using System.Net.Sockets;

namespace L4Balancer.Tests.Hosting;

/// <summary>A daemon before one backend, <c>chat/ws1</c>, with one listener, <c>wss</c>, and metrics.</summary>
internal static class OneBackend
{
    public static string Config(IPEndPoint backend, string bind = "127.0.0.1:0", string metrics = "127.0.0.1:0", string balancer = "") => $"""
        [balancer]
        {balancer}
        [admin]
        socket = ""
        [metrics]
        listen = "{metrics}"
        [[listeners]]
        name = "wss"
        bind = ["{bind}"]
        pool = "chat"
        [[pools]]
        name = "chat"
          [pools.health]
          interval = "100ms"
          fall = 2
          [[pools.backends]]
          name = "ws1"
          address = "{backend}"
        """;

    /// <param name="limits">What a shell does to the limits of the daemon (<c>ulimit -n 200</c>).</param>
    public static DaemonProcess StartLimited(string limits) => DaemonProcess.Start(
        new Dictionary<string, string>(), ["sh", "-c", $"{limits} && exec \"$@\"", "sh"],
        "run", "--config", DaemonProcess.ConfigFileWith(Config(new(IPAddress.Loopback, 9))));

    public static async Task<TcpClient> ConnectAsync(DaemonProcess daemon) => await Talk.ConnectAsync(await daemon.ListenerAsync("wss"));

    public static async Task<string> ScrapeAsync(DaemonProcess daemon)
    {
        using var http = new HttpClient();
        return await http.GetStringAsync(await daemon.MetricsAsync());
    }
}
