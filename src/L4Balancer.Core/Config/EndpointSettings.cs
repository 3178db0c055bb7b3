using System.Collections.Immutable;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Config;

/// <summary>The table <c>[endpoint]</c>: a listener that hands clients the URL of a backend, so that they connect to it directly.</summary>
public sealed record EndpointSettings
{
    /// <summary>Every origin may ask.</summary>
    public const string AnyOrigin = "*";

    public Endpoint Listen { get; init; }

    /// <summary>Origins whose pages may ask, in lower case, or <see cref="AnyOrigin"/>; empty: pages may not.</summary>
    public ImmutableArray<string> AllowOrigins { get; init; } = [];

    /// <summary>Requests per second of one source, an IPv4 address or an IPv6 /64, with bursts of one second's worth; 0 means no limit.</summary>
    public int RatePerSource { get; init; } = 10;

    /// <summary>Path of the PEM certificate, with its chain; empty: HTTP without TLS.</summary>
    public string CertFile { get; init; } = "";

    /// <summary>Path of the PEM key of the certificate.</summary>
    public string KeyFile { get; init; } = "";

    /// <summary>How long an answer may be used.</summary>
    public TimeSpan Ttl { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Path of the file whose bytes sign the tokens; empty: answers carry no token.</summary>
    public string SecretFile { get; init; } = "";

    /// <summary>Whether the listener speaks TLS.</summary>
    public bool IsTls() => CertFile.Length > 0;

    /// <summary>How long an answer counts as a connection under way at its backend: the client connects soon, or not at all.</summary>
    public static TimeSpan UnderWay(TimeSpan ttl) => ttl / 3;
}

/// <summary><c>[endpoint]</c>.</summary>
internal static class EndpointBinding
{
    private const string ListenForm = "an IP address with a port, like \"0.0.0.0:9190\"";
    private const string OriginsForm = "an array of origins, like [\"https://chat.example.com\"], or [\"*\"]";
    private const string OriginForm = "an origin, like \"https://chat.example.com\", or \"*\"";
    private const int LongestOrigin = 512;

    private static readonly TimeSpan ShortestTtl = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestTtl = TimeSpan.FromHours(1);

    /// <param name="files">Receives the files that the table names.</param>
    public static EndpointSettings Bind(TableBinder table, BoundAddresses bound, List<NamedFile> files)
    {
        EndpointSettings defaults = new();
        EndpointSettings endpoint = defaults with
        {
            AllowOrigins = Origins(table),
            RatePerSource = table.Integer("rate_per_source", defaults.RatePerSource, 0, 1_000_000),
            CertFile = File(table, "cert_file", "/etc/l4balancer/tls/fullchain.pem", NamedFileKind.Certificates, files),
            KeyFile = File(table, "key_file", "/etc/l4balancer/tls/key.pem", NamedFileKind.Secret, files),
            Ttl = table.Duration("ttl", defaults.Ttl, ShortestTtl, LongestTtl),
            SecretFile = File(table, "secret_file", "/etc/l4balancer/endpoint.secret", NamedFileKind.Secret, files),
        };
        if (table.TryRequire("listen", ListenForm, out Setting listen) && listen.TryEndpoint(0, out Endpoint address))
        {
            endpoint = endpoint with { Listen = address };
            bound.Add(address, listen);
        }

        ReportAlone(table, endpoint.CertFile, endpoint.KeyFile);
        return endpoint;
    }

    private static void ReportAlone(TableBinder table, string certFile, string keyFile)
    {
        if (certFile.Length > 0 && keyFile.Length == 0 && table.TryGet("cert_file", out Setting cert) && !table.Mentions("key_file"))
        {
            cert.Reject("needs key_file, the PEM key of this certificate");
        }
        else if (keyFile.Length > 0 && certFile.Length == 0 && table.TryGet("key_file", out Setting key) && !table.Mentions("cert_file"))
        {
            key.Reject("needs cert_file, the PEM certificate of this key");
        }
    }

    private static string File(TableBinder table, string key, string example, NamedFileKind kind, List<NamedFile> files)
    {
        string path = AdminBinding.Path(table, key, "", AdminBinding.LongestPath, example);
        if (path is ['/', ..] && table.TryGet(key, out Setting setting))
        {
            files.Add(new NamedFile(path, setting.Key, setting.Position) { Kind = kind });
        }

        return path;
    }

    private static ImmutableArray<string> Origins(TableBinder table)
    {
        if (!table.TryGet("allow_origins", out Setting setting) || !setting.TryItems(OriginsForm, out ImmutableArray<Setting> items))
        {
            return [];
        }

        ImmutableArray<string>.Builder origins = ImmutableArray.CreateBuilder<string>(items.Length);
        foreach (Setting item in items)
        {
            if (item.TryText(OriginForm, out string text) && (IsOrigin(text) || item.Reject($"{Quoted.Text(text)} is not {OriginForm}")))
            {
                origins.Add(text.ToLowerInvariant());
            }
        }

        return origins.ToImmutable();
    }

    // Scheme, host and port as browsers send them (RFC 6454, 6.2); the schemes of apps (capacitor://localhost) are origins too.
    private static bool IsOrigin(string text)
    {
        int colon = text.IndexOf("://", StringComparison.Ordinal);
        return text == EndpointSettings.AnyOrigin || (text.Length <= LongestOrigin && colon > 0
            && char.IsAsciiLetter(text[0]) && text[..colon].All(static c => char.IsAsciiLetterOrDigit(c) || c is '+' or '-' or '.')
            && text.Length > colon + 3 && text[(colon + 3)..].All(static c => c is > ' ' and < '\x7F' and not ('/' or '?' or '#' or '@' or '*' or '"' or '\\')));
    }
}
