using System.Collections.Immutable;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Config;

/// <summary>
/// The table <c>[pools.discovery]</c>: where the backends of a pool are registered, beside those of <c>[[pools.backends]]</c>. Exactly one
/// source is set, that of <see cref="Kind"/>; the others are empty or null.
/// </summary>
public sealed record DiscoverySettings
{
    /// <summary>The fleet of a configuration without <c>[fleet]</c>, in the default of <c>prefix</c>.</summary>
    public const string DefaultFleet = "default";

    /// <summary><c>kubernetes</c> for a daemon that runs in a pod of the cluster.</summary>
    public const string InCluster = "in-cluster";

    /// <summary>Derived from the source that is set.</summary>
    public DiscoveryKind Kind { get; init; }

    /// <summary>The name of SRV records, <c>_ws._tcp.chat.example.com</c>, or a host name with a port, each address of which is a backend.</summary>
    public string Dns { get; init; } = "";

    /// <summary>For dns: the name servers; empty means those of the system.</summary>
    public ImmutableArray<Endpoint> Servers { get; init; } = [];

    /// <summary>The absolute path of a TOML file of <c>[[backends]]</c> tables.</summary>
    public string File { get; init; } = "";

    public Uri? Http { get; init; }

    public ImmutableArray<Uri> Etcd { get; init; } = [];

    public Uri? Consul { get; init; }

    /// <summary>Each an IP address or a host name with a port.</summary>
    public ImmutableArray<string> Zookeeper { get; init; } = [];

    /// <summary>The Sentinels, each an IP address or a host name with a port.</summary>
    public ImmutableArray<string> RedisSentinel { get; init; } = [];

    /// <summary><see cref="InCluster"/> or the URL of the API.</summary>
    public string Kubernetes { get; init; } = "";

    /// <summary>For etcd and zookeeper, as written; <see cref="PrefixFor"/> is the one that applies.</summary>
    public string Prefix { get; init; } = "";

    /// <summary>For consul, redis_sentinel (the name of the master) and kubernetes.</summary>
    public string Service { get; init; } = "";

    /// <summary>For kubernetes.</summary>
    public string Namespace { get; init; } = "default";

    /// <summary>For kubernetes: name or number of the port; empty means the first.</summary>
    public string Port { get; init; } = "";

    /// <summary>For redis_sentinel.</summary>
    public SentinelRole Role { get; init; }

    /// <summary>Path of a file with a bearer token. Sources read it at each connect, so that a new token needs no reload.</summary>
    public string TokenFile { get; init; } = "";

    /// <summary>Path of a PEM file with the only trusted certificates; empty means the system's.</summary>
    public string CaFile { get; init; } = "";

    /// <summary>
    /// The content of <see cref="CaFile"/> in PEM. <see cref="ConfigReader"/> leaves it empty and lists the file in its result.
    /// </summary>
    public string CaCertificates { get; init; } = "";

    /// <summary>Path of a PEM file with the certificate that the store is shown; set together with <see cref="KeyFile"/>.</summary>
    public string CertFile { get; init; } = "";

    public string KeyFile { get; init; } = "";

    /// <summary>Set together with <see cref="PasswordFile"/>.</summary>
    public string User { get; init; } = "";

    /// <summary>Path of a file with the password, which sources read at each connect.</summary>
    public string PasswordFile { get; init; } = "";

    /// <summary>How often sources that are polled are read, and how often all of the others is read again.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long an empty set, or one of less than half, must last before it is believed.</summary>
    public TimeSpan Hold { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>What the keys of this pool's backends begin with in etcd, and the parent of their nodes in ZooKeeper. Ends in a slash.</summary>
    /// <param name="fleet">The name of the fleet.</param>
    public string PrefixFor(string pool, string fleet = DefaultFleet) =>
        Prefix.Length == 0 ? $"/l4balancer/{fleet}/pools/{pool}/backends/" : Prefix.TrimEnd('/') + "/";

    /// <summary>Whether all of it has the same values; the equality of records compares collections by reference.</summary>
    public bool HasSameValues(DiscoverySettings other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return Servers.SequenceEqual(other.Servers)
            && Etcd.SequenceEqual(other.Etcd)
            && Zookeeper.SequenceEqual(other.Zookeeper)
            && RedisSentinel.SequenceEqual(other.RedisSentinel)
            && this with
            {
                Servers = other.Servers,
                Etcd = other.Etcd,
                Zookeeper = other.Zookeeper,
                RedisSentinel = other.RedisSentinel,
            } == other;
    }
}
