using System.Collections.Immutable;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Ports;

/// <summary>
/// The addresses that one pool connects from, by family, taken in turn. Any thread may ask. Where the pool names none there is one
/// entry for both families: the kernel's choice.
/// </summary>
public sealed class SourceRotation
{
    private readonly ImmutableArray<SourceCell> _v4;
    private readonly ImmutableArray<SourceCell> _v6;
    private uint _next;

    /// <param name="sources">One cell per address; one with a null address where the kernel chooses.</param>
    public SourceRotation(ImmutableArray<SourceCell> sources)
    {
        _v4 = [.. sources.Where(s => s.Address is null or { IsV4: true })];
        _v6 = [.. sources.Where(s => s.Address is null or { IsV4: false })];
    }

    /// <summary>Where a new connection's walk over the sources begins: each call answers the next place.</summary>
    public uint NextTurn() => Interlocked.Increment(ref _next);

    /// <summary>How many sources can reach a destination of this family.</summary>
    public int CountFor(HostAddress destination) => For(destination).Length;

    /// <param name="destination">Its family decides which sources fit.</param>
    /// <param name="turn">From <see cref="NextTurn"/>.</param>
    /// <param name="step">0 for the first source of the walk, and so on below <see cref="CountFor"/>.</param>
    public SourceCell At(HostAddress destination, uint turn, int step)
    {
        ImmutableArray<SourceCell> sources = For(destination);
        uint count = (uint)sources.Length;

        // The turn is reduced first, so that a walk does not meet a source twice where turn and step together pass 2^32.
        return sources[(int)(((turn % count) + (uint)step) % count)];
    }

    private ImmutableArray<SourceCell> For(HostAddress destination) => destination.IsV4 ? _v4 : _v6;
}
