using L4Balancer.Core.Addressing;
using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Config;

/// <summary>One table <c>[[pools.backends]]</c>.</summary>
public sealed record BackendSettings
{
    public required string Name { get; init; }

    /// <summary>The address as written in the file; it determines the backend's position on the ring. Several may have the same.</summary>
    public required string Address { get; init; }

    /// <summary>The address if it is an IP address or a UNIX socket; null if it is a host name.</summary>
    public Endpoint? Endpoint { get; init; }

    /// <summary>The address if it is a host name; otherwise null.</summary>
    public HostName? Host { get; init; }

    /// <summary>0 to 1000; 0 means no new connections.</summary>
    public int Weight { get; init; } = 100;

    public bool Backup { get; init; }

    /// <summary>Maximum number of connections; 0 means no limit for this backend.</summary>
    public int MaxConnections { get; init; }

    /// <summary>What the endpoint API hands out; empty if clients cannot reach the backend directly.</summary>
    public string PublicUrl { get; init; } = "";

    /// <summary>Whether the text may be the name of a backend, which is used in metric labels, URL paths and commands: 1 to 64 characters of A-Z a-z 0-9 . _ -</summary>
    public static bool IsName(string text) => Setting.IsName(text);
}

/// <summary><c>[[pools.backends]]</c>.</summary>
internal static class BackendBinding
{
    private const string AddressForm =
        "an IP address or a host name with a port, like \"10.0.0.1:443\", \"[2001:db8::1]:443\" or \"host.name:443\", "
        + "or a UNIX socket, like \"unix:/run/ws1.sock\"";

    private static readonly BackendSettings Defaults = new() { Name = "", Address = "" };

    /// <summary>A value that is wrong leaves the name empty or the address null; the file is rejected in that case.</summary>
    public static BackendSettings Bind(TableBinder table, Claims<string> names, ConnectTargets targets)
    {
        if (table.TryRequire("name", "a name", out Setting setting) && setting.TryName(out string name))
        {
            names.TryClaim(name, setting);
        }
        else
        {
            name = Defaults.Name;
        }

        (Endpoint? endpoint, HostName? host) = (null, null);
        string address = Defaults.Address;
        if (table.TryRequire("address", AddressForm, out setting) && TryAddress(setting, out endpoint, out host))
        {
            address = ((TomlString)setting.Node).Value;
            if (endpoint is { } target)
            {
                targets.AddBackend(target, setting);
            }
        }

        return new BackendSettings
        {
            Name = name,
            Address = address,
            Endpoint = endpoint,
            Host = host,
            MaxConnections = table.Integer("max_connections", Defaults.MaxConnections, 0, int.MaxValue),
            Weight = table.Integer("weight", Defaults.Weight, 0, 1_000),
            Backup = table.Boolean("backup", Defaults.Backup),
            PublicUrl = BackendUrl.Bind(table),
        };
    }

    private static bool TryAddress(Setting setting, out Endpoint? endpoint, out HostName? host)
    {
        (endpoint, host) = (null, null);
        if (!setting.TryText(AddressForm, out string text))
        {
            return false;
        }

        if (Addressing.Endpoint.IsUnixText(text))
        {
            bool fits = setting.TryUnix(text, out Endpoint socket);
            endpoint = fits ? socket : null;
            return fits;
        }

        if (HostName.TryParse(text, out HostName name))
        {
            host = name;
            return name.Port != 0 || setting.Reject($"{Quoted.Text(text)} has a port out of range; allowed: 1 to 65535");
        }

        if (!Endpoint.TryParse(text, out Endpoint read))
        {
            return LinkLocal.HasScope(text) ? LinkLocal.RejectScope(setting, text) : setting.Reject(AddressAdvice.Of(text, AddressForm, isName: true));
        }

        endpoint = read;
        return read.Port == 0 ? setting.Reject($"{Quoted.Text(text)} has a port out of range; allowed: 1 to 65535")
            : read.Address.IsAny ? setting.Reject($"\"{read}\" is the wildcard address and cannot be connected to; allowed: {AddressForm}")
            : LinkLocal.Check(setting, text, read.Address);
    }
}
