using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using L4Balancer.Tests.Admin;
using L4Balancer.Tests.Pacing;

namespace L4Balancer.Tests.NameServer;

/// <summary>
/// A daemon that answers for lb.example.com: <c>chat</c> with two backends that are probed, <c>many</c> with twenty that are not.
/// </summary>
internal sealed class ZoneScene : IAsyncDisposable
{
    public const int Rate = 200;

    private static int _clients;

    private readonly SocketFolder _folder = new();
    private readonly string _file;

    private ZoneScene()
    {
        _file = DaemonProcess.ConfigFileWith(Config());
        Daemon = DaemonProcess.Start("run", "--config", _file);
    }

    public HoldingBackend[] Backends { get; } = [new HoldingBackend(), new HoldingBackend()];

    public DaemonProcess Daemon { get; }

    public IPEndPoint Listener { get; private set; } = null!;

    /// <summary>Of the wildcard address, on 127.0.0.1.</summary>
    public IPEndPoint Server { get; private set; } = null!;

    public IPEndPoint Server6 { get; private set; } = null!;

    public static async Task<ZoneScene> StartAsync()
    {
        var scene = new ZoneScene();
        await scene.Daemon.ReadyAsync();
        scene.Listener = await scene.Daemon.ListenerAsync("wss");
        scene.Server = new IPEndPoint(IPAddress.Loopback, (await scene.DnsAsync(1)).Port);
        scene.Server6 = await scene.DnsAsync(2);
        return scene;
    }

    public async Task ReloadAsync(string dns)
    {
        await File.WriteAllTextAsync(_file, Config(dns));
        Assert.That(await SendAsync("/v1/reload"), Is.EqualTo(200));
    }

    public async Task<int> SendAsync(string path)
    {
        using HttpResponseMessage response = await _folder.Http.PostAsync(path, null);
        return (int)response.StatusCode;
    }

    public Task<JsonElement> ConfigAsync() => _folder.GetAsync("/v1/config");

    /// <summary>What the counter of a result says.</summary>
    public async Task<long> CountedAsync(string result)
    {
        string metrics = await _folder.Http.GetStringAsync("/metrics");
        string series = $"l4balancer_dns_answers_total{{result=\"{result}\"}} ";
        string line = metrics.Split('\n').Single(l => l.StartsWith(series, StringComparison.Ordinal));
        return long.Parse(line.Split(' ')[1], CultureInfo.InvariantCulture);
    }

    /// <summary>Asks over UDP, from a source of its own each time.</summary>
    /// <returns>The answer's A records.</returns>
    public async Task<string[]> AddressesAsync(string name) =>
        Addresses(await AskAsync(SourceFor(Interlocked.Increment(ref _clients)), name));

    /// <summary>A client that takes answers only from the address that it asks.</summary>
    public UdpClient ClientFrom(IPAddress source, IPAddress? server = null)
    {
        var client = new UdpClient(new IPEndPoint(source, 0));
        client.Connect(server ?? Server.Address, Server.Port);
        return client;
    }

    /// <summary>An address of 127/8, in a /24 of its own.</summary>
    public static IPAddress SourceFor(int number) => new([127, (byte)(1 + (number >> 8)), (byte)number, 1]);

    public static byte[] Question(string name, ushort type = 1) =>
    [
        0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0,
        .. name.Split('.').SelectMany(l => (byte[])[(byte)l.Length, .. Encoding.ASCII.GetBytes(l)]), 0, (byte)(type >> 8), (byte)type, 0, 1,
    ];

    public async Task<byte[]> AskAsync(IPAddress source, string name)
    {
        using UdpClient client = ClientFrom(source);
        await client.SendAsync(Question(name));
        return (await client.ReceiveAsync().WaitAsync(DaemonProcess.Deadline)).Buffer;
    }

    /// <summary>Its A records; all owners are pointers, and nothing follows that has other types.</summary>
    public static string[] Addresses(byte[] answer)
    {
        int at = 12;
        while (answer[at] != 0)
        {
            at += 1 + answer[at];
        }

        at += 5;
        var addresses = new string[BinaryPrimitives.ReadUInt16BigEndian(answer.AsSpan(6))];
        for (int i = 0; i < addresses.Length; i++, at += 16)
        {
            addresses[i] = new IPAddress(answer.AsSpan(at + 12, 4)).ToString();
        }

        return [.. addresses.Order(StringComparer.Ordinal)];
    }

    /// <returns>How long it took.</returns>
    public static async Task<TimeSpan> UntilAsync(Func<Task<bool>> condition, string what)
    {
        var waited = Stopwatch.StartNew();
        using var steps = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!await condition())
        {
            Assert.That(waited.Elapsed, Is.LessThan(DaemonProcess.Deadline), $"waited in vain: {what}");
            await steps.WaitForNextTickAsync();
        }

        return waited.Elapsed;
    }

    public async ValueTask DisposeAsync()
    {
        await Daemon.DisposeAsync();
        Array.ForEach(Backends, b => b.Dispose());
        _folder.Dispose();
    }

    private async Task<IPEndPoint> DnsAsync(int count)
    {
        string line = await Daemon.LineWithAsync("answering DNS for ", count);
        return IPEndPoint.Parse(line.Split(" on ")[1].Split(' ')[0]);
    }

    private string Config(string dns = "address = [\"192.0.2.10\", \"2001:db8::10\"]") => $"""
        [balancer]
        shutdown_grace = "0s"
        [admin]
        socket = "{_folder.SocketPath}"
        [dns]
        listen = ["0.0.0.0:0", "[::1]:0"]
        zone = "lb.example.com"
        rate_per_source = {Rate}
        {dns}
        [[listeners]]
        name = "wss"
        bind = ["127.0.0.1:0"]
        pool = "chat"
        [[pools]]
        name = "chat"
          [pools.health]
          interval = "50ms"
          fast_interval = "50ms"
          down_interval = "50ms"
          rise = 1
          fall = 2
          [[pools.backends]]
          name = "ws1"
          address = "{Backends[0].Endpoint}"
          public_url = "wss://203.0.113.1:8443/chat"
          [[pools.backends]]
          name = "ws2"
          address = "{Backends[1].Endpoint}"
          public_url = "wss://203.0.113.2/chat"
          weight = 50
        [[pools]]
        name = "many"
          [pools.health]
          type = "none"
        {string.Concat(Enumerable.Range(1, 20).Select(i => $"""
          [[pools.backends]]
          name = "ws{i}"
          address = "127.0.0.1:{i}"
          public_url = "ws://198.51.100.{i}/"

        """))}
        """;
}
