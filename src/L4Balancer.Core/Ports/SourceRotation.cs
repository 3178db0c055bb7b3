using System.Collections.Immutable;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Ports;

/// <summary>
/// The addresses that one pool connects from, by family, used in rotation. Any thread. If the pool names none, there is one
/// entry for both families, which leaves the choice to the kernel.
/// </summary>
public sealed class SourceRotation
{
    private readonly ImmutableArray<LocalAddressState> _v4;
    private readonly ImmutableArray<LocalAddressState> _v6;
    private uint _next;

    /// <param name="sources">One per address, or a single one with a null address if the kernel chooses.</param>
    public SourceRotation(ImmutableArray<LocalAddressState> sources)
    {
        _v4 = [.. sources.Where(s => s.Address is null or { IsV4: true })];
        _v6 = [.. sources.Where(s => s.Address is null or { IsV4: false })];
    }

    /// <summary>The position at which a new connection starts to try the sources; each call returns the next one.</summary>
    public uint NextTurn() => Interlocked.Increment(ref _next);

    /// <summary>Number of sources of the destination's family.</summary>
    public int CountFor(HostAddress destination) => For(destination).Length;

    /// <param name="destination">Only sources of its family are used.</param>
    /// <param name="turn">The result of <see cref="NextTurn"/>.</param>
    /// <param name="step">0 for the first source to try; less than <see cref="CountFor"/>.</param>
    public LocalAddressState At(HostAddress destination, uint turn, int step)
    {
        ImmutableArray<LocalAddressState> sources = For(destination);
        uint count = (uint)sources.Length;

        // The turn is reduced first, so that no source is visited twice if turn + step exceeds 2^32.
        return sources[(int)(((turn % count) + (uint)step) % count)];
    }

    private ImmutableArray<LocalAddressState> For(HostAddress destination) => destination.IsV4 ? _v4 : _v6;
}
