using System.Collections.Immutable;

namespace L4Balancer.Core.Config;

/// <summary>The table <c>[pools.health]</c>.</summary>
public sealed record HealthSettings
{
    public HealthType Type { get; init; } = HealthType.Tcp;

    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Interval while a state change of the backend is pending.</summary>
    public TimeSpan FastInterval { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Interval while the backend is not up.</summary>
    public TimeSpan DownInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Fraction of the interval by which a probe may be earlier or later.</summary>
    public double Jitter { get; init; } = 0.1;

    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Consecutive good probes after which a backend is up again.</summary>
    public int Rise { get; init; } = 2;

    /// <summary>Consecutive failed probes after which a backend is taken out.</summary>
    public int Fall { get; init; } = 3;

    /// <summary>Port to probe; 0 means the backend's own port.</summary>
    public int Port { get; init; }

    /// <summary>Path and query that http and WebSocket probes request.</summary>
    public string Path { get; init; } = "/";

    /// <summary>Host header and SNI; empty means the backend's address as written.</summary>
    public string Host { get; init; } = "";

    /// <summary>Response codes of an http probe that count as good.</summary>
    public StatusCodes Status { get; init; } = StatusCodes.Default;

    /// <summary>Additional header fields of the request, by name.</summary>
    public ImmutableSortedDictionary<string, string> Headers { get; init; } = ImmutableSortedDictionary<string, string>.Empty;

    /// <summary>Whether the certificate is verified.</summary>
    public bool Verify { get; init; }

    /// <summary>Path of a PEM file with the only trusted certificates; empty means the system's.</summary>
    public string CaFile { get; init; } = "";

    /// <summary>
    /// The content of <see cref="CaFile"/> in PEM. <see cref="ConfigReader"/> leaves it empty and lists the file in its result.
    /// </summary>
    public string CaCertificates { get; init; } = "";

    /// <summary>Whether all of it has the same values; the equality of records compares collections by reference.</summary>
    public bool HasSameValues(HealthSettings other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return Headers.SequenceEqual(other.Headers) && this with { Headers = other.Headers } == other;
    }
}
