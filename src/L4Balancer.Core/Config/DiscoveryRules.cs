using System.Collections.Immutable;
using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Config;

/// <summary>Which keys of <c>[pools.discovery]</c> belong together: one source, and the keys that this source has.</summary>
internal static class DiscoveryRules
{
    private static readonly ImmutableArray<(string Key, DiscoveryKind Kind)> Sources =
    [
        ("dns", DiscoveryKind.Dns), ("file", DiscoveryKind.File), ("http", DiscoveryKind.Http), ("etcd", DiscoveryKind.Etcd),
        ("consul", DiscoveryKind.Consul), ("zookeeper", DiscoveryKind.Zookeeper), ("redis_sentinel", DiscoveryKind.RedisSentinel),
        ("kubernetes", DiscoveryKind.Kubernetes),
    ];

    private static readonly ImmutableArray<DiscoveryKind> OverHttp =
        [DiscoveryKind.Http, DiscoveryKind.Etcd, DiscoveryKind.Consul, DiscoveryKind.Kubernetes];

    private static readonly ImmutableArray<DiscoveryKind> WithTls = [.. OverHttp, DiscoveryKind.Zookeeper, DiscoveryKind.RedisSentinel];

    private static readonly ImmutableArray<DiscoveryKind> WithUsers =
        [DiscoveryKind.Http, DiscoveryKind.Etcd, DiscoveryKind.RedisSentinel, DiscoveryKind.Zookeeper];

    /// <summary>The keys that only some sources have. One that is at its default says nothing, and may stand with any source.</summary>
    private static readonly ImmutableArray<(string Key, ImmutableArray<DiscoveryKind> Kinds, Func<DiscoverySettings, bool> IsDefault)> Companions =
    [
        ("servers", [DiscoveryKind.Dns], static d => d.Servers.IsEmpty),
        ("prefix", [DiscoveryKind.Etcd, DiscoveryKind.Zookeeper], static d => d.Prefix.Length == 0),
        ("service", [DiscoveryKind.Consul, DiscoveryKind.RedisSentinel, DiscoveryKind.Kubernetes], static d => d.Service.Length == 0),
        ("namespace", [DiscoveryKind.Kubernetes], static d => d.Namespace == "default"),
        ("port", [DiscoveryKind.Kubernetes], static d => d.Port.Length == 0),
        ("role", [DiscoveryKind.RedisSentinel], static d => d.Role == SentinelRole.Master),
        ("token_file", OverHttp, static d => d.TokenFile.Length == 0),
        ("ca_file", WithTls, static d => d.CaFile.Length == 0),
        ("cert_file", WithTls, static d => d.CertFile.Length == 0),
        ("key_file", WithTls, static d => d.KeyFile.Length == 0),
        ("user", WithUsers, static d => d.User.Length == 0),
        ("password_file", WithUsers, static d => d.PasswordFile.Length == 0),
    ];

    /// <returns>The settings with their kind. If the keys do not belong together, that was reported.</returns>
    public static DiscoverySettings Check(TableBinder table, DiscoverySettings read)
    {
        List<(string Key, DiscoveryKind Kind, Setting Setting)> given = [];
        foreach ((string key, DiscoveryKind kind) in Sources)
        {
            if (table.TryGet(key, out Setting setting) && setting.Node is not (TomlString { Value: "" } or TomlArray { Items.IsEmpty: true }))
            {
                given.Add((key, kind, setting));
            }
        }

        if (given.Count == 0)
        {
            if (!Sources.Any(s => table.WasReported(s.Key)))
            {
                table.Whole.Reject($"has no source; needed: one of {string.Join(", ", Sources.Select(static s => s.Key))}");
            }

            return read;
        }

        foreach ((_, _, Setting second) in given.Skip(1))
        {
            second.Reject($"is a second source beside {given[0].Key}; a pool has one: leave one of them out");
        }

        read = read with { Kind = given[0].Kind };
        ReportStrangers(table, read, given[0].Key);
        ReportIncomplete(table, read);
        return read;
    }

    private static void ReportStrangers(TableBinder table, DiscoverySettings read, string source)
    {
        foreach ((string key, ImmutableArray<DiscoveryKind> kinds, Func<DiscoverySettings, bool> isDefault) in Companions)
        {
            if (!isDefault(read) && !kinds.Contains(read.Kind) && table.TryGet(key, out Setting setting))
            {
                string[] owners = [.. Sources.Where(s => kinds.Contains(s.Kind)).Select(static s => s.Key)];
                setting.Reject($"has no meaning with {source}, but with {string.Join(", ", owners)}; leave it out");
            }
        }
    }

    private static void ReportIncomplete(TableBinder table, DiscoverySettings read)
    {
        string? service = read.Kind switch
        {
            DiscoveryKind.Consul => "the name of the service in Consul",
            DiscoveryKind.Kubernetes => "the name of the service in Kubernetes",
            DiscoveryKind.RedisSentinel => "the name of the master that the Sentinels watch",
            _ => null,
        };
        if (service is not null && read.Service.Length == 0)
        {
            Need(table, "service", service);
        }

        NeedBoth(table, "cert_file", read.CertFile, "key_file", read.KeyFile);
        NeedBoth(table, "user", read.User, "password_file", read.PasswordFile);
    }

    private static void NeedBoth(TableBinder table, string first, string one, string second, string other)
    {
        if ((one.Length == 0) != (other.Length == 0))
        {
            Need(table, one.Length == 0 ? first : second, $"it and {(one.Length == 0 ? second : first)} together, or neither");
        }
    }

    // A value that is wrong was reported, and is empty here.
    private static void Need(TableBinder table, string key, string wanted)
    {
        if (!table.TryGet(key, out Setting setting))
        {
            table.ReportMissing(key, wanted);
        }
        else if (setting.Node is TomlString { Value: "" })
        {
            setting.Reject($"is empty; needed: {wanted}");
        }
    }
}
