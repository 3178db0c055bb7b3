using System.Runtime.Versioning;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Packets;

/// <summary>
/// How packets get from an interface to each backend: the neighbour that they are sent to, as far as it is known, and the outer header. Written to the map
/// of backends whenever it changes. Under the lock of the plane.
/// </summary>
[SupportedOSPlatform("linux")]
internal sealed class BackendWays(NeighbourWatch watch)
{
    private readonly Dictionary<int, Way> _ways = [];

    /// <summary>Where the ways are written.</summary>
    public required PacketMaps Maps { get; set; }

    /// <summary>The interface that packets leave by.</summary>
    public required InterfaceFacts Facts { get; set; }

    public bool Has(int number) => _ways.ContainsKey(number);

    /// <summary>Follows the way to the backend with a number, and writes what is known of it.</summary>
    /// <param name="sends">False: its flows are not to stay with it, so that nothing is sent to it.</param>
    public Errno Follow(int number, HostAddress address, PacketForward forward, bool sends)
    {
        // A change of the routes is noticed by itself.
        Way way = _ways.TryGetValue(number, out Way? known) && known.Address == address && known.Forward == forward
            ? known with { Sends = sends } : WayTo(address, forward) with { Sends = sends };
        return Follow(number, way);
    }

    /// <summary>Nothing is sent to the number any more.</summary>
    public void Forget(int number)
    {
        _ways.Remove(number);
        _ = Maps.SetBackend(number, default);
    }

    /// <summary>The MAC address of a neighbour was found, or has changed.</summary>
    /// <returns>Whether a backend is reached by it.</returns>
    public bool NeighbourFound(HostAddress address)
    {
        bool isOurs = false;
        foreach ((int number, Way way) in _ways)
        {
            if (way.NextHop == address)
            {
                isOurs = true;
                _ = Write(number, way);
            }
        }

        return isOurs;
    }

    /// <summary>Routes have changed: routers are looked up anew.</summary>
    public void RoutesChanged()
    {
        foreach ((int number, Way way) in _ways.Where(w => w.Value.Forward == PacketForward.Encapsulated).ToArray())
        {
            _ = Follow(number, WayTo(way.Address, way.Forward) with { Sends = way.Sends });
        }
    }

    /// <summary>The interface is another: neighbours are looked for there, and everything is written anew.</summary>
    public void Renew()
    {
        foreach ((int number, Way way) in _ways.ToArray())
        {
            _ = Follow(number, way);
        }
    }

    /// <summary>0: it is not known.</summary>
    public ulong MacOf(int number) => _ways.TryGetValue(number, out Way? way) ? MacOf(way) : 0;

    /// <summary>The neighbours that are followed.</summary>
    public IEnumerable<(int Interface, HostAddress Address)> Wanted() =>
        _ways.Values.Where(w => w.NextHop is not null).Select(w => (Facts.Index, w.NextHop!.Value));

    private Way WayTo(HostAddress address, PacketForward forward) => forward == PacketForward.SameSegment
        ? new Way(address, address, true, forward, null)
        : new Way(address, NextHop.Towards(watch.Requests, Facts.Index, address), true, forward, PacketTunnel.Towards(address));

    private Errno Follow(int number, Way way)
    {
        _ways[number] = way;
        if (way.NextHop is { } next)
        {
            _ = watch.Want(Facts.Index, next);
        }

        return Write(number, way);
    }

    private Errno Write(int number, Way way)
    {
        ulong mac = MacOf(way);
        return Maps.SetBackend(number, way.CanSend ? new PacketBackend(mac != 0, mac, Facts.Mac, way.Tunnel) : default);
    }

    private ulong MacOf(Way way) => way.NextHop is { } next ? watch.MacOf(Facts.Index, next) : 0;

    /// <param name="NextHop">The neighbour that packets are sent to; null: there is no route by this interface, but the kernel may know one.</param>
    /// <param name="Tunnel">Null: the packets go as they are, or there is no route at all.</param>
    private sealed record Way(HostAddress Address, HostAddress? NextHop, bool Sends, PacketForward Forward, PacketTunnel? Tunnel)
    {
        public bool CanSend => Sends && (Forward == PacketForward.SameSegment || Tunnel is not null);
    }
}
