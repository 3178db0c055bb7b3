using System.Collections.Immutable;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;

namespace L4Balancer.Core.Dns;

/// <summary>
/// Draws a few of many members, each with a chance by its weight: those of an answer, in an order that changes with each answer. Immutable;
/// any thread.
/// </summary>
internal sealed class WeightedSet
{
    /// <summary>
    /// A draw that hits a chosen member again is repeated. With one weight far above the others most are; then the rest follows in order.
    /// </summary>
    private const int MostDraws = 64;

    private readonly long[] _sums;

    /// <param name="weights">Each above 0.</param>
    public WeightedSet(IEnumerable<int> weights)
    {
        long sum = 0;
        _sums = [.. weights.Select(w => sum += w)];
    }

    public int Count => _sums.Length;

    /// <summary>Takes time in proportion to what is chosen and to the logarithm of the members.</summary>
    /// <param name="draw">A number that differs from answer to answer.</param>
    /// <param name="chosen">Receives different indexes, as many as there are members or as fit.</param>
    /// <returns>How many were chosen.</returns>
    public int Choose(ulong draw, Span<int> chosen)
    {
        int wanted = Math.Min(chosen.Length, Count);
        int found = 0;
        for (int i = 0; found < wanted && i < MostDraws; i++)
        {
            draw = Mix.Of(draw);
            long point = (long)Math.BigMul(draw, (ulong)_sums[^1], out _);
            int index = Array.BinarySearch(_sums, point + 1);
            index = index < 0 ? ~index : index;
            if (!chosen[..found].Contains(index))
            {
                chosen[found++] = index;
            }
        }

        for (int index = wanted == 0 ? 0 : (int)(draw % (ulong)Count); found < wanted; index = (index + 1) % Count)
        {
            if (!chosen[..found].Contains(index))
            {
                chosen[found++] = index;
            }
        }

        return found;
    }
}

/// <summary>The addresses of one family that a name has. Immutable; any thread.</summary>
internal sealed class AddressSet
{
    public static readonly AddressSet Empty = new([]);

    private readonly WeightedSet _weights;

    /// <param name="members">
    /// An address that occurs more than once is one record with the sum of the weights: a record exists once (RFC 2181, 5).
    /// </param>
    public AddressSet(IEnumerable<(HostAddress Address, int Weight)> members)
    {
        (HostAddress Address, int Weight)[] merged =
            [.. members.GroupBy(m => m.Address).Select(g => (g.Key, g.Sum(m => m.Weight)))];
        Addresses = [.. merged.Select(m => m.Address)];
        _weights = new WeightedSet(merged.Select(m => m.Weight));
    }

    public ImmutableArray<HostAddress> Addresses { get; }

    public int Choose(ulong draw, Span<int> chosen) => _weights.Choose(draw, chosen);
}
