using System.Buffers.Text;
using System.Net.Security;
using System.Text;
using L4Balancer.Core.Config;
using L4Balancer.Core.Http;

namespace L4Balancer.Engine.Probing;

/// <summary>
/// What a probe of one backend says after the connect, made once and said again and again. Any thread may read it.
/// </summary>
internal sealed class Exchange
{
    /// <summary>What stands between the last field of an upgrade and the end of its head.</summary>
    private const int KeyLength = 24;

    private static readonly SslApplicationProtocol[] Http1 = [SslApplicationProtocol.Http11];

    private readonly ProbePlan _plan;
    private readonly byte[] _request;

    /// <param name="address">The backend's as written: what it is called where <c>host</c> is empty.</param>
    /// <param name="port">That probes go to.</param>
    public Exchange(ProbePlan plan, string address, int port)
    {
        HealthSettings settings = plan.Settings;
        _plan = plan;
        IsTls = settings.Type is HealthType.Tls or HealthType.Https or HealthType.Wss;
        IsWebSocket = settings.Type is HealthType.Ws or HealthType.Wss;
        IsHttp = settings.Type is HealthType.Http or HealthType.Https;
        string name = address[..address.LastIndexOf(':')];
        ServerName = WithoutPort(settings.Host.Length > 0 ? settings.Host : name);
        string authority = settings.Host.Length > 0 ? settings.Host : port == (IsTls ? 443 : 80) ? name : $"{name}:{port}";
        _request = IsHttp || IsWebSocket ? Encoding.ASCII.GetBytes(Request(settings, authority, IsWebSocket)) : [];
    }

    public bool IsTls { get; }

    public bool IsHttp { get; }

    public bool IsWebSocket { get; }

    /// <summary>Whom the certificate must name; for SNI too, where it is no IP address.</summary>
    public string ServerName { get; }

    public StatusCodes Status => _plan.Settings.Status;

    public TlsTrust Trust => _plan.Trust;

    /// <summary>What one conversation needs, for the request as for what comes back.</summary>
    public int BufferSize => Math.Max(ResponseHead.LongestHead, _request.Length);

    /// <summary>
    /// Where the certificate is verified, without resumption: the probe sees what a new client would see. Else a session is resumed where
    /// the backend lets it, which spares both sides most of the handshake. Revocation is not asked for: probes go to their backend and
    /// nowhere else.
    /// </summary>
    public SslClientAuthenticationOptions Tls() => new()
    {
        TargetHost = ServerName,
        AllowTlsResume = !_plan.Settings.Verify,
        CertificateChainPolicy = Trust.Policy,
        ApplicationProtocols = IsHttp || IsWebSocket ? [.. Http1] : null,
    };

    /// <param name="nonce">16 bytes of chance; unused but by WebSocket.</param>
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

    private static string WithoutPort(string host)
    {
        if (host.StartsWith('['))
        {
            return host[1..].Split(']')[0];
        }

        int colon = host.IndexOf(':');

        // More than one: an IPv6 address without brackets.
        return colon >= 0 && colon == host.LastIndexOf(':') ? host[..colon] : host;
    }
}
