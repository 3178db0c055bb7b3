using System.Collections.Immutable;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Config;

/// <summary>What a listener with <c>mode = "packet"</c> must not have, and what only such a listener may have.</summary>
internal static class PacketBinding
{
    /// <summary>IFNAMSIZ of net/if.h without the terminating zero.</summary>
    private const int LongestInterface = 15;

    private const string InterfaceForm = "the name of a network interface, like \"eth0\"";

    /// <summary>Reads <c>interface</c>; only a packet listener has to have one.</summary>
    public static string BindInterface(TableBinder table, ListenerMode mode, string fallback)
    {
        bool isGiven = mode == ListenerMode.Packet
            ? table.TryRequire("interface", InterfaceForm, out Setting setting) : table.TryGet("interface", out setting);
        if (!isGiven || !setting.TryText(InterfaceForm, out string name) || (name.Length == 0 && mode != ListenerMode.Packet))
        {
            return fallback;
        }

        // dev_valid_name of the kernel.
        bool isValid = name.Length is > 0 and <= LongestInterface && name is not ("." or "..")
            && name.All(static c => c is > ' ' and < '\x7f' and not ('/' or ':'));
        return isValid || setting.Reject($"{Quoted.Text(name)} is not {InterfaceForm}, of 1 to {LongestInterface} characters without space, / and :")
            ? name : fallback;
    }

    /// <summary>Reports what does not go together with the mode, each at its key.</summary>
    /// <param name="defaults">A value that is the default is accepted in any case.</param>
    public static void ReportUnfit(TableBinder table, ListenerSettings listener, ListenerSettings defaults)
    {
        if (listener.Mode == ListenerMode.Packet)
        {
            ReportRelayKeys(table, listener);
            ReportAddresses(table);
            Reject(
                table, "second_chance", listener.SecondChance && listener.Forward != PacketForward.Ipip,
                "needs forward = \"ipip\": the second backend is named in the outer header, which packets of \"l2\" do not have; "
                + "leave it out, or set forward");
        }
        else
        {
            const string Mend = "is read only with mode = \"packet\"; leave it out, or set the mode";
            Reject(table, "interface", listener.Interface != defaults.Interface, Mend);
            Reject(table, "forward", listener.Forward != defaults.Forward, Mend);
            Reject(table, "flows", listener.Flows != defaults.Flows, Mend);
            Reject(table, "second_chance", listener.SecondChance != defaults.SecondChance, Mend);
        }
    }

    // What is decided about a connection that is accepted, which a packet listener does not do.
    private static void ReportRelayKeys(TableBinder table, ListenerSettings listener)
    {
        const string Mend = "is not for mode = \"packet\", which accepts no connection; leave it out, or use a relay listener";
        if (!listener.Routes.IsEmpty)
        {
            table.Errors.Add(table.PositionOf("routes"), table.KeyOf("routes"), Mend);
        }

        Reject(table, "inspect", listener.Inspect != InspectKind.None, Mend);
        Reject(table, "accept_proxy_from", !listener.AcceptProxyFrom.IsEmpty, Mend);
        Reject(table, "max_connections", listener.MaxConnections > 0, Mend);
        Reject(table, "max_connections_per_source", listener.MaxConnectionsPerSource > 0, Mend);
        Reject(table, "connection_rate_per_source", listener.ConnectionRatePerSource > 0, Mend);
        Reject(table, "allow", !listener.Allow.IsEmpty, Mend);
        Reject(table, "deny", !listener.Deny.IsEmpty, Mend);
        Reject(table, "on_pool_down", listener.OnPoolDown != OnPoolDown.Refuse, Mend);
    }

    private static void ReportAddresses(TableBinder table)
    {
        if (!table.TryGet("bind", out Setting bind) || bind.Node is not Toml.TomlArray)
        {
            return;
        }

        bind.TryItems("", out ImmutableArray<Setting> items);
        foreach (Setting item in items)
        {
            if (item.Node is not Toml.TomlString { Value: var text })
            {
                continue;
            }

            if (Endpoint.IsUnixText(text))
            {
                item.Reject($"{Quoted.Text(text)} is a UNIX socket, and mode = \"packet\" forwards TCP packets; allowed: an IP address with a port");
            }
            else if ((Endpoint.TryParse(text, out Endpoint endpoint) && (endpoint.Port == 0 || endpoint.Address.IsAny))
                || (PortSpan.TryParse(text, out PortSpan span) && span.Address.IsAny))
            {
                item.Reject($"{Quoted.Text(text)} is not a virtual address; allowed with mode = \"packet\": one with a port, like \"192.0.2.10:443\"");
            }
        }
    }

    private static void Reject(TableBinder table, string key, bool isUnfit, string why)
    {
        if (isUnfit && table.TryGet(key, out Setting setting))
        {
            setting.Reject(why);
        }
    }
}
