using System.Collections.Immutable;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;

namespace L4Balancer.Core.Dns;

/// <summary>
/// Makes the zone of what lives. The zone's own addresses are those of the balancers; each pool whose backends have a <c>public_url</c> has
/// a name below it, with the addresses and SRV records of the backends that take new connections; each backend with an address in its URL
/// has one below that. Which names exist follows from the configuration, not from health. docs/dns.md describes it.
/// </summary>
internal sealed class ZoneBuilder
{
    private readonly Dictionary<byte[], ZoneNode> _nodes = new(WireNameComparer.Instance);
    private readonly ImmutableArray<string>.Builder _leftOut = ImmutableArray.CreateBuilder<string>();
    private readonly byte[] _zone;

    private ZoneBuilder(string zone) => _zone = ZoneNames.OnWire(zone)!;

    /// <param name="balancers">The addresses of the balancers that take connections.</param>
    public static DnsZone Build(DnsSettings settings, ImmutableArray<Pool> pools, ImmutableArray<HostAddress> balancers, uint serial)
    {
        var builder = new ZoneBuilder(settings.Zone);
        (HostAddress, int)[] living = [.. balancers.Select(a => (a, 1))];
        ZoneNode addresses = ZoneNode.WithAddresses(living);
        builder._nodes.Add(builder._zone, new ZoneNode { IsApex = true, V4 = addresses.V4, V6 = addresses.V6 });

        // A name server without an address could not be asked, so its own addresses remain where no balancer takes connections.
        ZoneNode server = living.Length > 0 ? addresses : ZoneNode.WithAddresses([.. settings.Address.Select(a => (a, 1))]);
        builder._nodes.Add(Below(ZoneNames.NameServer, builder._zone), server);
        foreach (Pool pool in pools)
        {
            builder.AddPool(pool);
        }

        return new DnsZone(builder._zone, builder._nodes, builder._leftOut.ToImmutable(), serial, (uint)settings.Ttl.TotalSeconds);
    }

    private void AddPool(Pool pool)
    {
        (Backend Backend, PublicAddress At)[] members =
        [
            .. pool.Backends.Select(b => (b, At: PublicAddress.TryParse(b.Settings.PublicUrl, out PublicAddress at) ? at : default))
                .Where(m => m.At.Port != 0),
        ];
        if (members.Length == 0)
        {
            return;
        }

        if (Claim(pool.Name, _zone, $"pool {pool.Name}") is not { } name)
        {
            return;
        }

        List<Member> all = [];
        foreach ((Backend backend, PublicAddress at) in members)
        {
            bool lives = pool.Takes(backend.Index);
            byte[]? target = at.Address is { } address
                ? AddBackend(name, pool.Name, backend.Name, address, lives) : ZoneNames.OnWire(at.Host);
            all.Add(new Member(backend, at, lives, target));
        }

        bool primaryLives = all.Any(m => m is { Lives: true, Backend.Settings.Backup: false });
        (HostAddress, int)[] addresses =
        [
            .. all.Where(m => m.Lives && m.Backend.Settings.Backup != primaryLives && m.At.Address is not null)
                .Select(m => (m.At.Address!.Value, m.Backend.Weight)),
        ];
        _nodes[name] = ZoneNode.WithAddresses(addresses, ServicesOf(all));
        byte[] tcp = Below("_tcp", name);
        _nodes[tcp] = ZoneNode.Empty;
        foreach (IGrouping<string, Member> scheme in all.GroupBy(m => m.At.Scheme))
        {
            _nodes[Below("_" + scheme.Key, tcp)] = new ZoneNode { Services = ServicesOf(scheme) };
        }
    }

    /// <returns>The backend's name; null if it has none.</returns>
    private byte[]? AddBackend(byte[] pool, string poolName, string backend, HostAddress address, bool lives)
    {
        byte[]? name = Claim(backend, pool, $"backend {poolName}/{backend}");
        if (name is not null)
        {
            _nodes[name] = lives ? ZoneNode.WithAddresses([(address, 1)]) : ZoneNode.Empty;
        }

        return name;
    }

    // Two records may differ in priority or weight only; one target and port is one record.
    private static ServiceSet ServicesOf(IEnumerable<Member> members) => new(
        members.Where(m => m is { Lives: true, Target: not null })
            .GroupBy(m => (Name: Convert.ToHexString(m.Target!), m.At.Port, m.Backend.Settings.Backup))
            .Select(g => new ServiceRecord(
                (ushort)(g.Key.Backup ? 1 : 0), (ushort)Math.Min(g.Sum(m => m.Backend.Weight), ushort.MaxValue), g.Key.Port,
                g.First().Target!, g.First().At.Address)));

    private byte[]? Claim(string text, byte[] parent, string what)
    {
        if (ZoneNames.LabelOf(text) is not string label)
        {
            _leftOut.Add($"{what}: its name is not a DNS label of at most 63 letters, digits and hyphens");
            return null;
        }

        byte[] name = Below(label, parent);
        if (_nodes.ContainsKey(name))
        {
            _leftOut.Add($"{what}: the label \"{label}\" is already used at that place of the zone");
            return null;
        }

        _nodes.Add(name, ZoneNode.Empty);
        return name;
    }

    private static byte[] Below(string label, byte[] parent) => [.. ZoneNames.OnWire(label)!.AsSpan(0, 1 + label.Length), .. parent];

    private readonly record struct Member(Backend Backend, PublicAddress At, bool Lives, byte[]? Target);
}
