using System.Collections.Immutable;
using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Config;

/// <summary>The table <c>[fleet]</c>: several balancers that share intent and views through etcd.</summary>
public sealed record FleetSettings
{
    /// <summary>The name of the fleet: its keys in etcd are below <c>/l4balancer/{name}/</c>.</summary>
    public required string Name { get; init; }

    /// <summary>The name of this balancer in the fleet; empty means the name of the host.</summary>
    public string Id { get; init; } = "";

    /// <summary>The endpoints of etcd, tried in this order; never empty.</summary>
    public ImmutableArray<Uri> Etcd { get; init; } = [];

    /// <summary>How long the others keep a balancer that no longer renews its membership; whole seconds.</summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(5);

    public FleetHealth Health { get; init; } = FleetHealth.Own;

    /// <summary>Path of a file with a bearer token for etcd; empty means none.</summary>
    public string TokenFile { get; init; } = "";

    /// <summary>Path of the certificates that etcd's certificate must chain to; empty means the system's.</summary>
    public string CaFile { get; init; } = "";

    /// <summary>Path of the client certificate; empty means none. Set together with <see cref="KeyFile"/>.</summary>
    public string CertFile { get; init; } = "";

    public string KeyFile { get; init; } = "";

    /// <summary>The user of etcd's own authentication; empty means none.</summary>
    public string User { get; init; } = "";

    /// <summary>Path of a file with the password of <see cref="User"/>.</summary>
    public string PasswordFile { get; init; } = "";
}

/// <summary><c>health</c> of <c>[fleet]</c>.</summary>
public enum FleetHealth
{
    /// <summary>Each balancer decides by its own probes.</summary>
    Own,

    /// <summary>A backend is down where at least half of the balancers that probe it hold it down.</summary>
    Vote,
}

/// <summary><c>[fleet]</c>.</summary>
internal static class FleetBinding
{
    private const string EtcdForm = "an array of the URLs of etcd, like [\"http://10.0.0.1:2379\"]";

    private const int LongestUser = 256;

    /// <summary>etcd rounds a shorter one up: its leases last at least one and a half election timeouts, which is 2 s by default.</summary>
    private static readonly TimeSpan ShortestLease = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan LongestLease = TimeSpan.FromMinutes(10);

    private static readonly FleetSettings Defaults = new() { Name = "" };

    public static FleetSettings Bind(TableBinder table)
    {
        FleetSettings fleet = new()
        {
            Name = table.TryRequire("name", "a name", out Setting name) && name.TryName(out string text) ? text : "",
            Id = table.TryGet("id", out Setting id) ? IdOf(id) : Defaults.Id,
            Etcd = Endpoints(table),
            Lease = table.WholeSeconds("lease", Defaults.Lease, ShortestLease, LongestLease),
            Health = table.Choice("health", Defaults.Health, Vocabulary.FleetHealth),
            TokenFile = PathOf(table, "token_file"),
            CaFile = PathOf(table, "ca_file"),
            CertFile = PathOf(table, "cert_file"),
            KeyFile = PathOf(table, "key_file"),
            User = table.TryGet("user", out Setting user) && user.TryText("a user of etcd", out string who) ? UserOf(user, who) : "",
            PasswordFile = PathOf(table, "password_file"),
        };
        ReportHalf(table, "cert_file", fleet.CertFile, "key_file", fleet.KeyFile);
        ReportHalf(table, "user", fleet.User, "password_file", fleet.PasswordFile);
        return fleet;
    }

    // Empty stands for the name of the host.
    private static string IdOf(Setting setting) => setting.Node is TomlString { Value.Length: 0 } || !setting.TryName(out string id) ? "" : id;

    private static string UserOf(Setting setting, string user)
    {
        if (user.Length > LongestUser || user.Any(char.IsControl))
        {
            setting.Reject($"{Quoted.Text(user)} is not a user; allowed: at most {LongestUser} characters");
        }

        return user;
    }

    private static string PathOf(TableBinder table, string key) =>
        AdminBinding.Path(table, key, "", AdminBinding.LongestPath, $"/etc/l4balancer/{key.Replace('_', '.')}");

    private static void ReportHalf(TableBinder table, string first, string firstValue, string second, string secondValue)
    {
        (string set, string missing) = secondValue.Length == 0 ? (first, second) : (second, first);
        if (firstValue.Length == 0 != (secondValue.Length == 0) && !table.Mentions(missing) && table.TryGet(set, out Setting setting))
        {
            setting.Reject($"has no effect without {missing}; set both, or neither");
        }
    }

    private static ImmutableArray<Uri> Endpoints(TableBinder table)
    {
        if (!table.TryRequire("etcd", EtcdForm, out Setting setting) || !setting.TryItems(EtcdForm, out ImmutableArray<Setting> items))
        {
            return [];
        }

        if (items.IsEmpty)
        {
            setting.Reject($"is empty; needed: {EtcdForm}");
        }

        ImmutableArray<Uri>.Builder endpoints = ImmutableArray.CreateBuilder<Uri>(items.Length);
        foreach (Setting item in items)
        {
            const string Form = "the URL of an etcd member, like \"http://10.0.0.1:2379\"";
            if (!item.TryText(Form, out string text))
            {
                continue;
            }

            if (Uri.TryCreate(text, UriKind.Absolute, out Uri? url) && url.Scheme is "http" or "https" && url.PathAndQuery == "/" && url.UserInfo.Length == 0)
            {
                endpoints.Add(url);
            }
            else
            {
                item.Reject($"{Quoted.Text(text)} is not {Form}");
            }
        }

        return endpoints.ToImmutable();
    }
}
