using System.Collections.Immutable;

namespace L4Balancer.Tests.Architecture;

/// <summary>
/// Finds circles between namespaces. Every namespace is a room of its own, the child of another too: what is put into a folder can
/// be taken out again only if its surroundings do not lean on it and it on them at once.
/// </summary>
internal static class NamespaceCircles
{
    /// <summary>Each use that is part of a circle, with the types that cause it; empty if there is no circle.</summary>
    public static ImmutableArray<string> Find(IReadOnlyCollection<NamespaceUse> uses) =>
    [
        .. uses.Where(u => Reaches(u.To, u.From, uses))
            .Select(u => $"{u.From} -> {u.To} ({u.Example})").Order(StringComparer.Ordinal),
    ];

    private static bool Reaches(string from, string target, IReadOnlyCollection<NamespaceUse> uses)
    {
        var seen = new HashSet<string> { from };
        var open = new Stack<string>(seen);
        while (open.TryPop(out string? room))
        {
            if (room == target)
                return true;
            foreach (NamespaceUse use in uses)
            {
                if (use.From == room && seen.Add(use.To))
                    open.Push(use.To);
            }
        }

        return false;
    }
}
