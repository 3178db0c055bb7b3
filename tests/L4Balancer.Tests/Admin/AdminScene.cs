using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace L4Balancer.Tests.Admin;

/// <summary>One daemon with two backends for all tests of the API and its commands, over its socket and over TCP.</summary>
[SetUpFixture]
[Category(DaemonProcess.Category)]
internal sealed class AdminScene
{
    public const string Token = "t0ken-of-the-tests";

    private static DirectoryInfo Folder { get; set; } = null!;

    public static DaemonProcess Daemon { get; private set; } = null!;

    public static EchoPeer[] Backends { get; private set; } = [];

    public static IPEndPoint Listener { get; private set; } = null!;

    /// <summary>Of <c>[admin] listen</c>.</summary>
    public static IPEndPoint Tcp { get; private set; } = null!;

    public static string SocketPath => Path.Combine(Folder.FullName, "run", "admin.sock");

    public static string TokenFile => Path.Combine(Folder.FullName, "token");

    public static string ConfigPath { get; private set; } = "";

    public static HttpClient Local { get; private set; } = null!;

    [OneTimeSetUp]
    public async Task Start()
    {
        Folder = Directory.CreateTempSubdirectory("l4b-");
        await File.WriteAllTextAsync(TokenFile, Token + "\n");
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(TokenFile, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }

        Backends = [new EchoPeer(), new EchoPeer()];
        ConfigPath = DaemonProcess.ConfigFileWith(Config());
        Daemon = DaemonProcess.Start("run", "--config", ConfigPath);
        await Daemon.ReadyAsync();
        Listener = await Daemon.ListenerAsync("wss");
        Tcp = await OwnDaemon.TcpAsync(Daemon);
        Local = OverSocket(SocketPath);
    }

    [OneTimeTearDown]
    public async Task Stop()
    {
        Local?.Dispose();
        if (Daemon is not null)
        {
            await Daemon.DisposeAsync();
        }

        foreach (EchoPeer backend in Backends)
        {
            await backend.DisposeAsync();
        }

        Folder.Delete(recursive: true);
    }

    /// <param name="more">Further lines of the pool.</param>
    public static string Config(string more = "") => $"""
        [balancer]
        shutdown_grace = "0s"
        [admin]
        socket = "{SocketPath}"
        listen = "127.0.0.1:0"
        token_file = "{TokenFile}"
        [[listeners]]
        name = "wss"
        bind = ["127.0.0.1:0"]
        pool = "chat"
        [[pools]]
        name = "chat"
        {more}
          [pools.health]
          interval = "100ms"
          [[pools.backends]]
          name = "ws1"
          address = "{Backends[0].Endpoint}"
          [[pools.backends]]
          name = "ws2"
          address = "{Backends[1].Endpoint}"

        """;

    public static HttpClient OverSocket(string path) => new(new SocketsHttpHandler
    {
        UseProxy = false,
        ConnectCallback = async (_, cancel) =>
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancel);
            return new NetworkStream(socket, ownsSocket: true);
        },
    })
    {
        BaseAddress = new Uri("http://localhost/"),
        Timeout = DaemonProcess.Deadline,
    };

    public static async Task<JsonElement> GetAsync(string path) =>
        JsonDocument.Parse(await Local.GetStringAsync(path)).RootElement;

    /// <returns>The status, and the answer's JSON.</returns>
    public static async Task<(int Status, JsonElement Answer)> SendAsync(string method, string path, string? body = null)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        if (body is not null)
        {
            request.Content = new StringContent(body, new MediaTypeHeaderValue("application/json"));
        }

        using HttpResponseMessage response = await Local.SendAsync(request);
        return ((int)response.StatusCode, JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement);
    }

    /// <summary>A request as it is written here, by TCP.</summary>
    /// <param name="head">Further header lines, each with its end.</param>
    /// <returns>Everything that came back.</returns>
    public static async Task<string> RawAsync(string method, string target, string head = "", string host = "127.0.0.1")
    {
        using TcpClient client = await Talk.ConnectAsync(Tcp);
        string request = $"{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{head}\r\n";
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(request));
        using var reader = new StreamReader(client.GetStream(), Encoding.UTF8);
        return await reader.ReadToEndAsync().WaitAsync(DaemonProcess.Deadline);
    }
}
