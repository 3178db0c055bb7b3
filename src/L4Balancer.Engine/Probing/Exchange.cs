using System.Buffers.Text;
using System.Net.Security;
using System.Text;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Http;

namespace L4Balancer.Engine.Probing;

/// <summary>
/// What a probe of one backend sends after the connect: created once and reused for every probe. Any thread may read it.
/// </summary>
internal sealed class Exchange
{
    /// <summary>Length of the key between the last field of an upgrade request and the end of its head.</summary>
    private const int KeyLength = 24;

    private static readonly SslApplicationProtocol[] Http1 = [SslApplicationProtocol.Http11];

    private readonly ProbePlan _plan;
    private readonly byte[] _request;

    /// <param name="address">The backend's address as configured; its host part is the name used if <c>host</c> is empty.</param>
    /// <param name="port">The port that probes connect to; 0 for a UNIX socket.</param>
    public Exchange(ProbePlan plan, string address, int port)
    {
        HealthSettings settings = plan.Settings;
        _plan = plan;
        IsTls = settings.Type is HealthType.Tls or HealthType.Https or HealthType.Wss or HealthType.Mqtts;
        IsWebSocket = settings.Type is HealthType.Ws or HealthType.Wss;
        IsHttp = settings.Type is HealthType.Http or HealthType.Https;
        IsMqtt = settings.Type is HealthType.Mqtt or HealthType.Mqtts;
        bool isScripted = settings.Type is HealthType.Tcp or HealthType.Tls;
        Send = isScripted ? Encoding.UTF8.GetBytes(settings.Send) : [];
        Expected = isScripted ? Encoding.UTF8.GetBytes(settings.Expect) : [];
        string name = NameOf(address);
        ServerName = WithoutPort(settings.Host.Length > 0 ? settings.Host : name);
        string authority = settings.Host.Length > 0 ? settings.Host : port == (IsTls ? 443 : 80) || port == 0 ? name : $"{name}:{port}";
        _request = IsHttp || IsWebSocket ? Encoding.ASCII.GetBytes(Request(settings, authority, IsWebSocket)) : [];
    }

    public bool IsTls { get; }

    public bool IsHttp { get; }

    public bool IsWebSocket { get; }

    public bool IsMqtt { get; }

    /// <summary>What is written once connected (<c>send</c>); empty for other types than tcp and tls.</summary>
    public ReadOnlyMemory<byte> Send { get; }

    /// <summary>What the answer must contain (<c>expect</c>); empty for other types than tcp and tls.</summary>
    public ReadOnlyMemory<byte> Expected { get; }

    /// <summary>What is awaited once connected and, where TLS is used, after the handshake.</summary>
    public ProbeStage FirstStage =>
        IsHttp ? ProbeStage.Answer : IsWebSocket ? ProbeStage.Upgrade : IsMqtt ? ProbeStage.Connack : ProbeStage.Expected;

    /// <summary>The name that the certificate must have; also sent as SNI unless it is an IP address.</summary>
    public string ServerName { get; }

    public StatusCodes Status => _plan.Settings.Status;

    public TlsTrust Trust => _plan.Trust;

    /// <summary>Buffer size of one conversation, for the request as well as the answer.</summary>
    public int BufferSize => Math.Max(ResponseHead.LongestHead, _request.Length);

    /// <summary>
    /// If the certificate is verified, sessions are not resumed, so that the probe sees what a new client would see. Otherwise a session is
    /// resumed if the backend allows it, which saves both sides most of the handshake. Revocation is not checked: a probe connects only to
    /// its backend.
    /// </summary>
    public SslClientAuthenticationOptions Tls() => new()
    {
        TargetHost = ServerName,
        AllowTlsResume = !_plan.Settings.Verify,
        CertificateChainPolicy = Trust.Policy,
        ApplicationProtocols = IsHttp || IsWebSocket ? [.. Http1] : null,
    };

    /// <param name="nonce">16 random bytes; used by WebSocket only.</param>
    /// <returns>Bytes written.</returns>
    public int WriteRequest(Span<byte> target, ReadOnlySpan<byte> nonce)
    {
        _request.CopyTo(target);
        if (IsWebSocket)
        {
            Base64.EncodeToUtf8(nonce, target[(_request.Length - KeyLength - 4)..], out _, out _);
        }

        return _request.Length;
    }

    private static string Request(HealthSettings settings, string authority, bool webSocket)
    {
        var text = new StringBuilder($"GET {settings.Path} HTTP/1.1\r\nHost: {authority}\r\n");
        if (!settings.Headers.ContainsKey("User-Agent"))
        {
            text.Append("User-Agent: l4balancer\r\n");
        }

        foreach ((string name, string value) in settings.Headers)
        {
            text.Append(name).Append(": ").Append(value).Append("\r\n");
        }

        text.Append(webSocket
            ? $"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {new string('=', KeyLength)}\r\n\r\n"
            : "Connection: close\r\n\r\n");
        return text.ToString();
    }

    // A UNIX socket has no name that a server could be asked by.
    private static string NameOf(string address) =>
        Endpoint.IsUnixText(address) ? "localhost" : address[..address.LastIndexOf(':')];

    private static string WithoutPort(string host)
    {
        if (host.StartsWith('['))
        {
            return host[1..].Split(']')[0];
        }

        int colon = host.IndexOf(':');

        // More than one colon: an IPv6 address without brackets.
        return colon >= 0 && colon == host.LastIndexOf(':') ? host[..colon] : host;
    }
}
