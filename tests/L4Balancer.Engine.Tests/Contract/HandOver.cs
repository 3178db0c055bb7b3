using System.Diagnostics;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Handover;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>A hand-over between two engines of one process, as between two processes: descriptors are duplicated, records go as bytes.</summary>
internal static class HandOver
{
    /// <summary>Connections in one message, as between two processes.</summary>
    public const int Slice = 126;

    /// <summary>Has the next ones stand still.</summary>
    public static async Task<FrozenSlice> FreezeAsync(Rig from) => (await from.Engine.FreezeAsync(Slice, CancellationToken.None).Soon())!;

    /// <summary>Hands over all that is established.</summary>
    /// <param name="stood">Told how long each slice stood still.</param>
    /// <returns>How many there were.</returns>
    public static async Task<int> AllAsync(Rig from, Rig to, Action<TimeSpan>? stood = null)
    {
        int count = 0;
        while (await NextAsync(from, to, stood) is > 0 and var next)
        {
            count += next;
        }

        return count;
    }

    /// <summary>Hands over one slice.</summary>
    public static async Task<int> NextAsync(Rig from, Rig to, Action<TimeSpan>? stood = null)
    {
        long start = Stopwatch.GetTimestamp();
        await using FrozenSlice slice = await FreezeAsync(from);
        if (slice.Connections.Count == 0)
        {
            return 0;
        }

        Assert.That(slice.Connections, Has.Count.LessThanOrEqualTo(Slice));
        // As between two processes: the other one has all in place before this one gives it up.
        ExportedConnection[] copies = Copy(slice.Connections, to);
        await using FrozenSlice taken = await TakeAsync(to, copies);
        Assert.That(await CommitAsync(slice, from, copies), Is.Empty);
        Assert.That(await taken.ThawAsync().Soon(), Is.Empty);
        stood?.Invoke(Stopwatch.GetElapsedTime(start));
        return copies.Length;
    }

    /// <summary>What another process has after it has received the slice: descriptors and records of its own.</summary>
    public static ExportedConnection[] Copy(IEnumerable<ExportedConnection> connections, Rig to) => [.. connections.Select(c => Copy(c, to))];

    public static async Task<IReadOnlyList<RequestedClose>> CommitAsync(FrozenSlice slice, Rig from, params ExportedConnection[] taken)
    {
        IReadOnlyList<RequestedClose> closes = await slice.CommitAsync(taken.Select(c => c.Record.Id).ToHashSet()).Soon();
        from.Left += taken.Length;
        return closes;
    }

    /// <summary>Puts all in place, standing still.</summary>
    public static async Task<FrozenSlice> TakeAsync(Rig to, params ExportedConnection[] copies)
    {
        FrozenSlice taken = await to.Engine.TakeFrozenAsync(copies).Soon();
        Assert.That((taken.Failures.Count, taken.Connections.Count), Is.EqualTo((0, copies.Length)));
        to.Came += copies.Length;
        return taken;
    }

    public static async Task<IReadOnlyList<AdoptFailure>> AdoptAsync(Rig to, params ExportedConnection[] copies)
    {
        IReadOnlyList<AdoptFailure> failures = await to.Engine.AdoptAsync(copies).Soon();
        to.Came += copies.Length;
        return failures;
    }

    private static ExportedConnection Copy(ExportedConnection connection, Rig to)
    {
        CarriedRecord sent = CarriedRecord.Of(connection.Record, connection.End) with { LastActivity = connection.LastActivity };
        CarriedRecord? read = CarriedRecord.Read(sent.ToBytes(), out string fault);
        Assert.That(fault, Is.Empty);
        (ConnectionRecord record, ConnectionEnd end) = read!.Revive(to.Snapshot, to.Survivors);
        return Duplicates.Of(connection) with { Record = record, End = end, LastActivity = read.LastActivity };
    }
}
