using System.Buffers;
using L4Balancer.Core.Accounting;

namespace L4Balancer.Engine.Epoll;

/// <summary>
/// Looks at all connections, each on its own thread, a slice at a time: between two slices the worker's events get their turn. Who asks
/// waits for each slice, so that one small buffer serves for any number of connections.
/// </summary>
internal static class Survey
{
    /// <summary>Slots that a worker looks at for one request: a fraction of a millisecond.</summary>
    public const int Slice = 1024;

    /// <summary>In place of where the next slice begins.</summary>
    public const int Over = -1;

    /// <summary>Copies what is open. Any thread but a worker's.</summary>
    public static void List(IEnumerable<Worker> workers, Action<OpenConnection> visit)
    {
        OpenConnection[] slice = ArrayPool<OpenConnection>.Shared.Rent(Slice);
        try
        {
            foreach (Worker worker in workers)
            {
                for (int from = 0; from != Over;)
                {
                    int start = from;
                    (int count, from) = worker.AskAsync(w => Copy(w, start, slice), afterwards: (0, Over)).GetAwaiter().GetResult();
                    for (int i = 0; i < count; i++)
                    {
                        visit(slice[i]);
                    }
                }
            }
        }
        finally
        {
            ArrayPool<OpenConnection>.Shared.Return(slice, clearArray: true);
        }
    }

    /// <returns>False where no connection has this id. Any thread but a worker's.</returns>
    public static bool Close(IEnumerable<Worker> workers, ulong id, CloseReason reason)
    {
        foreach (Worker worker in workers)
        {
            for (int from = 0; from != Over;)
            {
                int start = from;
                (bool found, from) = worker.AskAsync(w => Close(w, start, id, reason), afterwards: (false, Over)).GetAwaiter().GetResult();
                if (found)
                {
                    return true;
                }
            }
        }

        return false;
    }

    /// <summary>The worker's part of a listing.</summary>
    /// <returns>How many connections the slice has, and where the next one begins.</returns>
    internal static (int Count, int Next) Copy(Worker worker, int from, OpenConnection[] slice)
    {
        int end = EndOf(worker, from);
        int count = 0;
        for (int index = from; index < end; index++)
        {
            ref Slot slot = ref worker.Slots[index];
            if (slot.State != SlotState.Free)
            {
                slice[count++] = new OpenConnection(slot.Record, slot.LastActivity);
            }
        }

        return (count, NextAfter(worker, end));
    }

    private static (bool Found, int Next) Close(Worker worker, int from, ulong id, CloseReason reason)
    {
        int end = EndOf(worker, from);
        for (int index = from; index < end; index++)
        {
            ref Slot slot = ref worker.Slots[index];
            if (slot.State != SlotState.Free && slot.Record.Id == id)
            {
                worker.Closer.CloseGuarded(index, reason);
                return (true, Over);
            }
        }

        return (false, NextAfter(worker, end));
    }

    public static int EndOf(Worker worker, int from) => Math.Min(from + Slice, worker.Slots.End);

    public static int NextAfter(Worker worker, int end) => end < worker.Slots.End ? end : Over;
}
