using System.Globalization;
using System.Net.Security;
using System.Text;
using System.Text.Json;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Direct;
using L4Balancer.Web;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Tests.Direct;

/// <summary>An endpoint API in the tests' own process, before a pool of three backends that need not exist, and a pool without URLs.</summary>
internal sealed class EndpointScene : IAsyncDisposable
{
    private readonly EndpointServer _server;

    private EndpointScene(EndpointServer server, RoutingSnapshot snapshot, HttpClient http)
    {
        _server = server;
        Snapshot = snapshot;
        Http = http;
    }

    public RoutingSnapshot Snapshot { get; }

    public Pool Pool => Snapshot.Pools[0];

    /// <summary>Follows no redirection, and accepts every certificate.</summary>
    public HttpClient Http { get; }

    /// <summary>Reads the secret as a reload does, and activates it.</summary>
    public void ReadSecret(string path) => _server.ReadSecret(new BalancerConfig { Endpoint = new EndpointSettings { SecretFile = path } })();

    public Uri Url => new(_server.Url);

    /// <param name="endpoint">Further lines of <c>[endpoint]</c>.</param>
    /// <param name="pool">Further lines of the pool.</param>
    public static Task<EndpointScene> StartAsync(string endpoint = "", string pool = "") =>
        StartAsync(endpoint, pool, NullLoggerFactory.Instance);

    public static async Task<EndpointScene> StartAsync(string endpoint, string pool, ILoggerFactory loggers)
    {
        string text = $"""
            [endpoint]
            listen = "127.0.0.1:0"
            {endpoint}
            [[listeners]]
            name = "wss"
            bind = ["127.0.0.1:0"]
            pool = "chat"
            [[pools]]
            name = "chat"
            {pool}
            """ + string.Concat(Enumerable.Range(1, 3).Select(static i => string.Create(CultureInfo.InvariantCulture, $"""

              [[pools.backends]]
              name = "ws{i}"
              address = "127.0.0.1:{i}"
              public_url = "wss://ws{i}.example.com/chat"
            """))) + """

            [[pools]]
            name = "plain"
              [[pools.backends]]
              name = "ws1"
              address = "127.0.0.1:9"
            """;
        ConfigResult read = ConfigReader.Read(Encoding.UTF8.GetBytes(text));
        Assert.That(read.Errors.Select(e => $"{e.Key}: {e.Message}"), Is.Empty);
        RoutingSnapshot snapshot = RoutingSnapshot.Build(new DesiredState(read.Config!, 10));
        var desk = new EndpointDesk(() => snapshot, () => read.Config!.Endpoint, TimeProvider.System, seed: 1);
        EndpointServer server = await EndpointServer.StartAsync(
            read.Config!.Endpoint!, desk, limit: 20_000, TimeProvider.System, new ControlSockets([], NullLogger.Instance), loggers, CancellationToken.None);
        var http = new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseProxy = false,
            SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = static (_, certificate, _, _) => certificate is not null },
        })
        {
            BaseAddress = new Uri(server.Url),
            Timeout = DaemonProcess.Deadline,
        };
        return new EndpointScene(server, snapshot, http);
    }

    public async Task<JsonElement> GetAsync(string path) => JsonDocument.Parse(await Http.GetStringAsync(path)).RootElement;

    /// <summary>Sends a request with these header fields.</summary>
    public async Task<HttpResponseMessage> SendAsync(string method, string path, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        foreach ((string name, string value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        return await Http.SendAsync(request);
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await _server.DisposeAsync();
    }
}
