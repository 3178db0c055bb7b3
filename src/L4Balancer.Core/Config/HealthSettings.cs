using System.Collections.Immutable;

namespace L4Balancer.Core.Config;

/// <summary>The table <c>[pools.health]</c>.</summary>
public sealed record HealthSettings
{
    public HealthType Type { get; init; } = HealthType.Tcp;

    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>While it is open whether the backend changes its state.</summary>
    public TimeSpan FastInterval { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>While the backend is not up.</summary>
    public TimeSpan DownInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Share of the interval by which a probe may come earlier or later.</summary>
    public double Jitter { get; init; } = 0.1;

    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Good probes in a row that bring a backend back.</summary>
    public int Rise { get; init; } = 2;

    /// <summary>Failed probes in a row that take a backend out.</summary>
    public int Fall { get; init; } = 3;

    /// <summary>0: the backend's own port.</summary>
    public int Port { get; init; }

    /// <summary>What http and WebSocket probes ask for: path and query.</summary>
    public string Path { get; init; } = "/";

    /// <summary>Host header and SNI; empty: the backend's address as written.</summary>
    public string Host { get; init; } = "";

    /// <summary>Which answers to an http probe are good.</summary>
    public StatusCodes Status { get; init; } = StatusCodes.Default;

    /// <summary>Further fields of the request, by name.</summary>
    public ImmutableSortedDictionary<string, string> Headers { get; init; } = ImmutableSortedDictionary<string, string>.Empty;

    /// <summary>Whether the certificate is checked.</summary>
    public bool Verify { get; init; }

    /// <summary>A file of PEM certificates that are trusted, and no others; empty: the system's.</summary>
    public string CaFile { get; init; } = "";

    /// <summary>What <see cref="CaFile"/> holds, in PEM. <see cref="ConfigReader"/> leaves it empty and says in its result what to read.</summary>
    public string CaCertificates { get; init; } = "";

    /// <summary>Whether all of it has the same values; the equality of records compares collections by reference.</summary>
    public bool HasSameValues(HealthSettings other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return Headers.SequenceEqual(other.Headers) && this with { Headers = other.Headers } == other;
    }
}
