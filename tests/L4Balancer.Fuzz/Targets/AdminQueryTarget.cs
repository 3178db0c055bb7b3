using System.Text;
using System.Text.Json;
using L4Balancer.Admin;
using L4Balancer.Core.Config;
using L4Balancer.Core.Pacing;
using L4Balancer.Core.Routing;
using Microsoft.AspNetCore.Http;
using StatusCodes = Microsoft.AspNetCore.Http.StatusCodes;

namespace L4Balancer.Fuzz.Targets;

/// <summary>Queries of the admin API: each is answered, with 200 or with 400 and a message in one line.</summary>
internal sealed class AdminQueryTarget : FuzzTarget
{
    private const string Config = """
        [[listeners]]
        name = "wss"
        bind = ["127.0.0.1:443"]
        pool = "chat"
        inspect = "tls"
        [[listeners.routes]]
        sni = ["*.a.test"]
        alpn = ["h2"]
        pool = "chat"
        [[listeners]]
        name = "ws"
        bind = ["127.0.0.1:80", "unix:/run/ws.sock"]
        pool = "rooms"
        inspect = "http"
        [[listeners.routes]]
        host = ["a.test"]
        path = ["/rooms/"]
        pool = "rooms"
        [[pools]]
        name = "chat"
        hash_key = ["sni"]
        [[pools.backends]]
        name = "b1"
        address = "10.0.0.1:443"
        [[pools]]
        name = "rooms"
        hash_key = ["http-query:room", "http-header:x-room", "source-ip"]
        [[pools.backends]]
        name = "b1"
        address = "10.0.0.1:80"
        [[pools.backends]]
        name = "b2"
        address = "10.0.0.2:80"
        """;

    private readonly Lazy<RoutingSnapshot> _snapshot = new(() => RoutingSnapshot.Build(
        new(ConfigReader.Read(Encoding.UTF8.GetBytes(Config)).Config ?? throw new InvalidOperationException("the configuration is wrong"), MaxConnections: 1)));

    public override string Name => "adminquery";

    /// <summary>Beyond the length at which a name or value is refused.</summary>
    public override int Longest => 10_000;

    public override IReadOnlyList<byte[]> Fragments { get; } = Texts.Of(
        "&", "=", "?", "%", "%00", "%0D%0A", "%C3%A9", "%FF", "+", "#", "/", ":", ",", "[::1]:1", "unix:1", "unix:/run/ws.sock", "listener=wss", "listener=ws",
        "&sni=a.test", "&alpn=h2,", "&host=", "&path=/rooms/a", "&header=X-Room:1", "&cookie=a=1", "&query=room=b", "&key=", "&destination=127.0.0.1:80",
        "backend=chat/b1", "source=10.0.0.0/8", "sort=idle", "limit=10", "rate=5", "within=1m", "tolerance=0.1");

    public override IEnumerable<byte[]> Seeds() => Texts.Of(
        "listener=wss&source=203.0.113.7:51234&sni=chat.a.test&alpn=h2,http/1.1", "listener=ws&source=[2001:db8::7]:1&host=a.test&path=/rooms/1&query=room=a%20b",
        "listener=ws&source=unix:7&destination=unix:/run/ws.sock&header=X-Room:blue&cookie=sid=1&query=room=2", "listener=ws&source=1.2.3.4:5&key=%F0%9F%98%80",
        "backend=chat/b1&source=10.0.0.0/8&sort=bytes&limit=20", "rate=10", "within=90s&tolerance=0.01", "listener=wss&backend=rooms/b2&rate=0");

    public override bool Run(byte[] bytes)
    {
        var query = new QueryString("?" + Encoding.Latin1.GetString(bytes));
        DefaultHttpContext http = Ask(query);
        if (ConnectionQuery.TryRead(http, out string mistake) is null)
        {
            CheckMistake(mistake);
        }

        if (ConnectionFilter.TryRead(http, out mistake) is { } filter)
        {
            CheckMistake(filter.Unknown(_snapshot.Value));
        }
        else
        {
            CheckMistake(mistake);
        }

        CheckMistake(ShedQuery.Fault(http, out CloseRate? _));
        CheckMistake(ShedQuery.ToleranceFault(http, out double tolerance));
        return IsLocated(http);
    }

    private bool IsLocated(DefaultHttpContext http)
    {
        using var body = new MemoryStream();
        http.Response.Body = body;
        LocateReply.WriteAsync(http, _snapshot.Value, default).GetAwaiter().GetResult();
        Finding.Unless(http.Response.StatusCode is StatusCodes.Status200OK or StatusCodes.Status400BadRequest, $"status {http.Response.StatusCode}");
        using JsonDocument answer = JsonDocument.Parse(body.ToArray());
        return http.Response.StatusCode == StatusCodes.Status200OK;
    }

    private static DefaultHttpContext Ask(QueryString query)
    {
        var http = new DefaultHttpContext();
        http.Request.QueryString = query;
        return http;
    }

    private static void CheckMistake(string? mistake) => Finding.Unless(mistake is null or { Length: > 0 and < 1000 }, $"a message of {mistake?.Length} characters");
}
