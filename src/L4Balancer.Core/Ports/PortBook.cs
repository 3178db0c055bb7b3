using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Ports;

/// <summary>
/// The use of local ports by source and destination in one snapshot: every pair that its pools can connect, and earlier pairs that
/// still have ports in use. Immutable except for the counts.
/// </summary>
public sealed class PortBook
{
    // Not modified after construction.
    private readonly Dictionary<(HostAddress? Source, Endpoint Destination), PortUse> _byEnds;
    private readonly PortUse[] _uses;

    private PortBook(PortSupply supply, Dictionary<(HostAddress?, Endpoint), PortUse> byEnds)
    {
        Supply = supply;
        _byEnds = byEnds;
        _uses = [.. byEnds.Values];
    }

    public static PortBook Empty => new(new PortSupply(), []);

    public PortSupply Supply { get; }

    /// <summary>Those that have ports; a UNIX socket as destination has none.</summary>
    public IEnumerable<PortUse> Uses => _uses.Where(static u => u.HasPorts);

    /// <summary>Every pair, those of UNIX sockets included.</summary>
    internal IReadOnlyList<PortUse> All => _uses;

    /// <summary>For each source from which ports are or were in use, the destination with the most ports in use.</summary>
    public IEnumerable<(PortUse Use, int InUse)> Fullest(Instant now)
    {
        var fullest = new Dictionary<LocalAddressState, (PortUse Use, int InUse)>();
        foreach (PortUse use in _uses.Where(static u => u.HasPorts))
        {
            int inUse = use.InUse(now);
            if ((inUse > 0 || use.Source.IsTouched) && (!fullest.TryGetValue(use.Source, out var before) || inUse > before.InUse))
            {
                fullest[use.Source] = (use, inUse);
            }
        }

        return fullest.Values;
    }

    /// <summary>Removes expired TIME_WAIT entries. Must be called every few seconds, at least every three minutes.</summary>
    public void Sweep(Instant now)
    {
        foreach (PortUse use in _uses)
        {
            use.Sweep(now);
        }
    }

    internal Successor Next() => new(this);

    /// <summary>Null if no backend of the snapshot is reached from there, and none was.</summary>
    internal PortUse? Find(HostAddress? source, Endpoint destination) => _byEnds.GetValueOrDefault((source, destination));

    /// <summary>This book with more pairs; one that it has already is kept.</summary>
    internal PortBook With(IEnumerable<PortUse> more)
    {
        Dictionary<(HostAddress?, Endpoint), PortUse> uses = new(_byEnds);
        foreach (PortUse use in more)
        {
            uses.TryAdd((use.Source.Address, use.Destination), use);
        }

        return new PortBook(Supply, uses);
    }

    /// <summary>Builds the book of the next snapshot.</summary>
    internal sealed class Successor(PortBook before)
    {
        private readonly Dictionary<(HostAddress?, Endpoint), PortUse> _uses = [];

        /// <summary>A connection to a UNIX socket has neither a source address nor a port.</summary>
        public PortUse OfUnix(Endpoint destination) => Of(LocalAddressState.OfUnix, destination);

        public PortUse Of(LocalAddressState source, Endpoint destination)
        {
            (HostAddress?, Endpoint) key = (source.Address, destination);
            if (!_uses.TryGetValue(key, out PortUse? use))
            {
                use = before._byEnds.GetValueOrDefault(key) ?? new PortUse(source, destination, before.Supply);
                _uses.Add(key, use);
            }

            return use;
        }

        public PortBook Finish()
        {
            foreach (((HostAddress?, Endpoint) key, PortUse use) in before._byEnds)
            {
                if (!use.IsUnused)
                {
                    _uses.TryAdd(key, use);
                }
            }

            return new PortBook(before.Supply, _uses);
        }
    }
}
