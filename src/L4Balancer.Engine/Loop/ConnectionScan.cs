using System.Buffers;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Loop;

/// <summary>
/// Visits all connections, each on the thread that serves it, a slice at a time, so that a worker handles events between two slices. The
/// caller waits for each slice, so that one small buffer serves any number of connections.
/// </summary>
internal static class ConnectionScan
{
    /// <summary>Slots that a worker visits per request: a fraction of a millisecond.</summary>
    public const int Slice = 1024;

    /// <summary>Returned in place of the start of the next slice when there is none.</summary>
    public const int Over = -1;

    /// <summary>Copies all open connections. Blocks; any thread except a worker's may call.</summary>
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

    /// <returns>False if no connection has this id. Blocks; any thread except a worker's may call.</returns>
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

    /// <summary>Reports all established connections as living, each on its worker's thread.</summary>
    public static async Task ReportAsync(IEnumerable<Worker> workers, SlicePace pace, CancellationToken cancel)
    {
        foreach (Worker worker in workers)
        {
            for (int from = 0; from != Over;)
            {
                int start = from;
                (int count, from) = await worker
                    .AskAsync(w => Report(w, start), afterwards: (0, Over)).WaitAsync(cancel).ConfigureAwait(false);
                await pace.WaitAfterAsync(count, cancel).ConfigureAwait(false);
            }
        }
    }

    /// <summary>The cookies of the sockets of all connections, each asked of the kernel on its worker's thread.</summary>
    public static async Task<IReadOnlySet<ulong>> CookiesAsync(IEnumerable<Worker> workers)
    {
        HashSet<ulong> all = [];
        foreach (Worker worker in workers)
        {
            for (int from = 0; from != Over;)
            {
                int start = from;
                (List<ulong> cookies, from) = await worker
                    .AskAsync<(List<ulong> Cookies, int Next)>(w => Cookies(w, start), afterwards: ([], Over)).ConfigureAwait(true);
                all.UnionWith(cookies);
            }
        }

        return all;
    }

    private static (List<ulong> Cookies, int Next) Cookies(Worker worker, int from)
    {
        int end = EndOf(worker, from);
        List<ulong> cookies = [];
        for (int index = from; index < end; index++)
        {
            ref Slot slot = ref worker.Slots[index];
            if (slot.State != SlotState.Free)
            {
                Add(slot.Client);
                Add(slot.Backend);
            }
        }

        return (cookies, NextAfter(worker, end));

        void Add(int socket)
        {
            if (socket >= 0 && SocketCookie.Of(socket) is not 0 and var cookie)
            {
                cookies.Add(cookie);
            }
        }
    }

    private static (int Count, int Next) Report(Worker worker, int from)
    {
        int end = Math.Min(from + SlicePace.Slice, worker.Slots.End);
        int count = 0;
        for (int index = from; index < end; index++)
        {
            ref Slot slot = ref worker.Slots[index];
            if (slot.State is SlotState.Established or SlotState.Frozen)
            {
                ReportAlive(worker, slot.Record.At(worker.Now));
                count++;
            }
        }

        return (count, NextAfter(worker, end));
    }

    // A record that cannot be taken must not keep the others from being reported.
    private static void ReportAlive(Worker worker, in ConnectionRecord record)
    {
        try
        {
            worker.Engine.Options.Records.Alive(record);
        }
        catch (Exception e)
        {
            worker.Engine.Log.RecordNotTaken(record.Id, e);
        }
    }

    /// <summary>Copies one slice, on the worker's thread.</summary>
    /// <returns>The number of connections in the slice, and the start of the next one.</returns>
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

    /// <summary>Describes the first connections that are open, on the worker's thread.</summary>
    public static List<string> Describe(Worker worker, int most)
    {
        List<string> open = [];
        for (int index = 0; index < worker.Slots.End && open.Count < most; index++)
        {
            ref Slot slot = ref worker.Slots[index];
            if (slot.State != SlotState.Free)
            {
                open.Add($"{EngineStop.Describe(slot.Record)} in state {slot.State}{(slot.HasRelay ? $", {slot.End.Phase}" : "")}");
            }
        }

        return open;
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
