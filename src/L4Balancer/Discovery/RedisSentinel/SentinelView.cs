using System.Collections.Immutable;
using System.Globalization;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Discovery;

namespace L4Balancer.Discovery.RedisSentinel;

/// <summary>What one Sentinel knows of a master and its replicas, from its replies to three commands. Immutable.</summary>
/// <param name="Master">Where writes go; during a failover already the one that was promoted.</param>
/// <param name="IsMasterDown">Whether this Sentinel does not reach it.</param>
/// <param name="Epoch">Of the last failover that this Sentinel knows: the one with the highest is right.</param>
/// <param name="Replicas">Those that this Sentinel reaches, in the order of their addresses.</param>
/// <param name="Unreached">How many others there are.</param>
internal sealed record SentinelView(Endpoint Master, bool IsMasterDown, long Epoch, ImmutableArray<Endpoint> Replicas, int Unreached)
{
    /// <summary>Sent together.</summary>
    public static byte[] Commands(string service) =>
    [
        .. RespValue.Command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", service), .. RespValue.Command("SENTINEL", "MASTER", service),
        .. RespValue.Command("SENTINEL", "SLAVES", service),
    ];

    /// <summary>The number of replies to <see cref="Commands"/>.</summary>
    public const int Replies = 3;

    private static readonly ImmutableArray<string> Down = ["s_down", "o_down", "disconnected"];

    /// <summary>The view, from the three replies in order.</summary>
    /// <param name="why">In a few words, if there is none.</param>
    public static SentinelView? From(RespValue address, RespValue master, RespValue replicas, out string why)
    {
        why = "";
        if (Refusal(address) is string refused)
        {
            why = refused;
            return null;
        }

        if (address.Items is not [{ Kind: RespKind.Text } host, { Kind: RespKind.Text } port])
        {
            why = "its address of the master cannot be read";
            return null;
        }

        // Between two replies the master can be taken away.
        why = TryEndpoint(host.Text, port.Text, out Endpoint main) ?? Refusal(master) ?? Refusal(replicas) ?? "";
        if (why.Length > 0)
        {
            return null;
        }

        if (Fields(master) is not { } fields || !long.TryParse(fields.GetValueOrDefault("config-epoch"), CultureInfo.InvariantCulture, out long epoch))
        {
            why = "its description of the master cannot be read";
            return null;
        }

        var reached = new HashSet<Endpoint>();
        int unreached = 0;
        foreach (RespValue item in replicas.Items)
        {
            if (Fields(item) is not { } replica || !replica.TryGetValue("flags", out string? flags))
            {
                why = "its list of replicas cannot be read";
                return null;
            }

            if (IsDown(flags))
            {
                unreached++;
            }
            else if (TryEndpoint(replica.GetValueOrDefault("ip", ""), replica.GetValueOrDefault("port", ""), out Endpoint endpoint) is string fault)
            {
                why = fault;
                return null;
            }
            else if (endpoint != main)
            {
                reached.Add(endpoint);
            }
        }

        return new SentinelView(main, IsDown(fields.GetValueOrDefault("flags", "")), epoch, [.. reached.OrderBy(static e => e.ToString(), StringComparer.Ordinal)], unreached);
    }

    /// <summary>The backends of a pool with this role.</summary>
    public SourceReading ToReading(SentinelRole role)
    {
        if (role == SentinelRole.Replica && Replicas.IsEmpty && Unreached > 0 && IsMasterDown)
        {
            return new SourceReading.Unknown("it reaches neither the master nor a replica");
        }

        ImmutableArray<Endpoint> chosen = role == SentinelRole.Master ? [Master] : Replicas;
        return new SourceReading.Complete(
            [.. chosen.Select(static e => new DiscoveredBackend(e))], string.Create(CultureInfo.InvariantCulture, $"epoch {Epoch}"));
    }

    private static string? Refusal(RespValue reply) => reply.Kind switch
    {
        RespKind.Null => "it does not know the master",
        RespKind.Error when reply.Text.Contains("No such master", StringComparison.OrdinalIgnoreCase) => "it does not know the master",
        RespKind.Error => RespConnection.TextOf(reply),
        RespKind.Text => "it does not answer as a Sentinel does",
        _ => null,
    };

    // Names and values in turn.
    private static Dictionary<string, string>? Fields(RespValue reply)
    {
        if (reply.Kind != RespKind.Array || reply.Items.Length % 2 != 0)
        {
            return null;
        }

        var fields = new Dictionary<string, string>();
        for (int i = 0; i < reply.Items.Length; i += 2)
        {
            fields[reply.Items[i].Text] = reply.Items[i + 1].Text;
        }

        return fields;
    }

    private static bool IsDown(string flags) => flags.Split(',').Any(static f => Down.Contains(f));

    private static string? TryEndpoint(string host, string port, out Endpoint endpoint)
    {
        string text = host.Contains(':', StringComparison.Ordinal) ? $"[{host}]:{port}" : $"{host}:{port}";
        bool fits = Endpoint.TryParse(text, out endpoint) && endpoint.Port != 0 && !endpoint.Address.IsAny && !endpoint.Address.IsLinkLocal6;
        return fits ? null
            : HostName.TryParse(text, out _) ? $"it announces the name {Quoted.Text(text)} instead of an address: set announce-hostnames to no"
            : $"{Quoted.Text(text)} cannot be connected to";
    }
}
