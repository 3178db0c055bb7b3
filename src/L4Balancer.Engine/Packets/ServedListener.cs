using System.Collections.Immutable;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Engine.Packets;

/// <summary>A listener that an interface serves: its place in the maps.</summary>
internal sealed class ServedListener(PacketListener listener, int pool)
{
    public PacketListener Listener { get; set; } = listener;

    /// <summary>The number of its table.</summary>
    public int Pool { get; } = pool;

    /// <summary>The numbers of its backends, in the order of its targets.</summary>
    public ImmutableArray<int> Numbers { get; set; } = [];

    /// <summary>What is to be in the map of services for it.</summary>
    public IEnumerable<Endpoint> Services() => Listener.Binds.Concat(Listener.Binds.Select(b => new Endpoint(b.Address, 0))).Distinct();
}

/// <summary>The sizes of the maps for a set of listeners.</summary>
internal static class PacketRoom
{
    /// <summary>Sizes with room for changes.</summary>
    /// <param name="before">Of the maps that these take the place of: except for flows nothing gets smaller, so that numbers stay what they are.</param>
    public static PacketLimits For(IReadOnlyCollection<PacketListener> listeners, PacketLimits? before)
    {
        int targets = listeners.Sum(l => l.Choice.Targets.Length);
        int members = PowerOfTwo(before?.Table.Members ?? 64, 2 * listeners.Max(l => l.Choice.Targets.Length));
        int entries = Math.Max(Core.Balancing.FlatTable.EntriesFor(members), listeners.Max(l => l.Choice.Table.Owners.Length));
        return new PacketLimits(
            PowerOfTwo(before?.Services ?? 64, 4 * listeners.Sum(l => l.Binds.Length)),
            PowerOfTwo(before?.Pools ?? 16, 2 * listeners.Count),
            PowerOfTwo(before?.Backends ?? 256, 4 * targets),
            FlowsOf(listeners),
            new ChoiceTable(Math.Max(entries, before?.Table.Entries ?? 0), members))
        {
            SecondChance = listeners.Any(l => l.SecondChance),
        };
    }

    /// <summary>Whether maps of this size do.</summary>
    public static bool Suffices(PacketLimits limits, IReadOnlyCollection<PacketListener> listeners) =>
        limits.Flows == FlowsOf(listeners)
        && limits.SecondChance == listeners.Any(l => l.SecondChance)
        && limits.Pools >= listeners.Count
        && limits.Services >= 2 * listeners.Sum(l => l.Binds.Length)
        && limits.Backends >= listeners.Sum(l => l.Choice.Targets.Length)
        && listeners.All(l => l.Choice.Targets.Length <= limits.Table.Members && l.Choice.Table.Owners.Length <= limits.Table.Entries);

    private static int FlowsOf(IEnumerable<PacketListener> listeners) => (int)Math.Min(int.MaxValue, listeners.Sum(l => (long)l.Flows));

    private static int PowerOfTwo(int least, int wanted) => (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(least, wanted));
}
