namespace L4Balancer.Core.Balancing;

/// <summary>
/// The text by which a backend is placed on a ring or Maglev table (docs/hashing.md): its address as written. If several backends of
/// a pool have the same address, the first of them by name has that text, and the others the address, a space and their name: each has
/// points of its own, and none moves when another is added behind it.
/// </summary>
internal static class Placement
{
    /// <param name="backends">Name, unique in the pool, and address of each backend.</param>
    /// <returns>One text for each, in the same order.</returns>
    public static string[] Of(IReadOnlyList<(string Name, string Address)> backends)
    {
        var first = new Dictionary<string, string>(backends.Count, StringComparer.Ordinal);
        foreach ((string name, string address) in backends)
        {
            if (!first.TryGetValue(address, out string? known) || string.CompareOrdinal(name, known) < 0)
            {
                first[address] = name;
            }
        }

        // Neither an address nor a name has a space in it.
        return [.. backends.Select(b => first[b.Address] == b.Name ? b.Address : $"{b.Address} {b.Name}")];
    }
}
