using System.Buffers;
using System.Globalization;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Config;

/// <summary><c>[[pools.backends]]</c>.</summary>
internal static class BackendBinding
{
    private const string AddressForm = "an IP address with a port, like \"10.0.0.1:443\" or \"[2001:db8::1]:443\"";

    private static readonly SearchValues<char> NeverInHostName = SearchValues.Create("[]:/%@ ");

    private static readonly BackendSettings Defaults = new() { Name = "", Address = "", Endpoint = default };

    /// <summary>What could not be read keeps an empty name or a port of 0; the file is refused then anyway.</summary>
    public static BackendSettings Bind(TableBinder table, Claims<string> names, Claims<Endpoint> addresses)
    {
        if (table.TryRequire("name", "a name", out Setting setting) && setting.TryName(out string name))
        {
            names.TryClaim(name, setting);
        }
        else
        {
            name = Defaults.Name;
        }

        Endpoint endpoint = Defaults.Endpoint;
        string address = Defaults.Address;
        if (table.TryRequire("address", AddressForm, out setting) && TryAddress(setting, out endpoint))
        {
            address = ((TomlString)setting.Node).Value;
            addresses.TryClaim(endpoint, setting);
        }

        return new BackendSettings
        {
            Name = name,
            Address = address,
            Endpoint = endpoint,
            MaxConnections = table.Integer("max_connections", Defaults.MaxConnections, 0, int.MaxValue),
            Weight = table.Integer("weight", Defaults.Weight, 0, 1_000),
            Backup = table.Boolean("backup", Defaults.Backup),
        };
    }

    private static bool TryAddress(Setting setting, out Endpoint endpoint)
    {
        endpoint = default;
        if (setting.Node is TomlString { Value: string text } && IsHostName(text))
        {
            return setting.Reject($"{Quoted.Text(text)} is a host name, which is not supported yet; allowed: {AddressForm}");
        }

        Endpoint read = default;
        bool usable = setting.TryEndpoint(1, out read)
            && (!read.Address.IsAny || setting.Reject($"\"{read}\" is every address and so none to connect to; allowed: {AddressForm}"));
        endpoint = usable ? read : default;
        return usable;
    }

    // A name whose last label is a number is no name but a wrong IPv4 address (RFC 3696, 2; WHATWG URL, "ends in a number").
    private static bool IsHostName(string text)
    {
        int colon = text.LastIndexOf(':');
        if (colon <= 0)
        {
            return false;
        }

        ReadOnlySpan<char> host = text.AsSpan(0, colon).TrimEnd('.');
        ReadOnlySpan<char> last = host[(host.LastIndexOf('.') + 1)..];
        return last.ContainsAnyExceptInRange('0', '9')
            && !host.ContainsAny(NeverInHostName)
            && ushort.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out _);
    }
}
