using L4Balancer.Core.Accounting;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Loop;

/// <summary>
/// Takes established connections of a worker out of its event loop, for another engine, and either gives them up or lets them go on. This
/// is possible because between two events the state of a connection consists only of two sockets, the bytes it holds, and flags.
/// <see cref="LoopSlice"/> asks for it; <see cref="Adoption"/> is the other end. For the worker's thread.
/// </summary>
internal sealed unsafe class Migration(Worker worker)
{
    private static readonly Action<Worker, (List<FrozenPlace> To, int Index)> FreezeStep =
        static (w, freeze) => freeze.To.Add(w.Migration.Freeze(ref w.Slots[freeze.Index]));

    /// <summary>The slot at which the next freeze begins: one after the other they go round all slots.</summary>
    private int _next;

    /// <summary>Freezes connections that relay and are not about to be closed, a slice of the slots at a time.</summary>
    /// <param name="most">Maximum number of connections.</param>
    public FreezeTurn Freeze(int most)
    {
        int end = worker.Slots.End;
        var frozen = new List<FrozenPlace>(Math.Min(most, end));
        int visited = 0;
        for (; visited < Math.Min(ConnectionScan.Slice, end) && frozen.Count < most; visited++)
        {
            _next = _next < end ? _next : 0;
            int index = _next++;
            ref Slot slot = ref worker.Slots[index];
            if (slot.IsRelaying && !slot.End.HasCause)
            {
                worker.Guard.Run(FreezeStep, (frozen, index), index);
            }
        }

        return new FreezeTurn(frozen, visited, end);
    }

    /// <summary>
    /// Gives up a frozen connection that another process has: its sockets are closed here, and nothing else happens to them.
    /// </summary>
    /// <returns>The reason of a close that was asked for meanwhile; none if there was none, or the place has no such connection.</returns>
    public CloseReason Commit(FrozenPlace place)
    {
        ref Slot slot = ref worker.Slots[place.Index];
        if (!IsFrozen(slot, place))
        {
            return CloseReason.None;
        }

        CloseReason asked = slot.ReasonToEnd;
        worker.Ledger?.End(slot.Index);
        int client = slot.Client;
        int backend = slot.Backend;
        slot.Client = Slot.NoDescriptor;
        slot.Backend = Slot.NoDescriptor;
        TcpSocket.Close(client);
        TcpSocket.Close(backend);
        Adoption.Close(place.Waiting.ToBackend);
        Adoption.Close(place.Waiting.ToClient);

        // A pipe with bytes is closed, and its bytes stay in the duplicates.
        worker.Transfer.Release(ref slot, toBackend: true);
        worker.Transfer.Release(ref slot, toBackend: false);
        slot.Record.Leave(worker.Engine.Snapshot.State);
        worker.Slots.Return(slot.Index);
        worker.Unassign(isEstablished: true);
        return asked;
    }

    /// <summary>Lets a frozen connection go on; without effect if the place has no such connection.</summary>
    /// <returns>Why it could not: it was reset then, and has a record.</returns>
    public AdoptFailure? Thaw(FrozenPlace place)
    {
        ref Slot slot = ref worker.Slots[place.Index];
        if (!IsFrozen(slot, place))
        {
            return null;
        }

        ulong id = slot.Record.Id;
        slot.State = SlotState.Established;
        try
        {
            worker.Adoption.CopyWaiting(ref slot, place.Waiting);
            if (place.IsToBeNoted)
            {
                worker.Notes.Established(slot);
            }

            Errno error = Continue(ref slot);
            return error == Errno.None ? null : new AdoptFailure(id, CloseReason.Limit, $"cannot watch it: {error}");
        }
        catch (Exception e)
        {
            worker.Guard.Fail(place.Index, e);
            return new AdoptFailure(id, CloseReason.Internal, e.Message);
        }
    }

    /// <summary>Notes that a frozen connection is to be closed or reset once it thaws. The first reason is kept.</summary>
    /// <returns>False if this was asked before.</returns>
    public static bool EndLater(ref Slot slot, CloseReason reason, bool abort)
    {
        bool isFirst = slot.ReasonToEnd == CloseReason.None;
        slot.ReasonToEnd = isFirst ? reason : slot.ReasonToEnd;
        slot.IsToAbort |= abort;
        return isFirst;
    }

    /// <summary>Brings a connection, with its sockets, bytes and record in place, into this worker's event loop.</summary>
    /// <returns>ENOSPC (fs.epoll.max_user_watches) or ENOMEM: the kernel does not watch it, and it is reset.</returns>
    private Errno Begin(ref Slot slot)
    {
        // Registering reports the current readiness, FIN and errors included, so events that occurred in between are not missed.
        SysResult watched = worker.Register(slot.Client, EventTag.Client(slot));
        watched = watched.IsError ? watched : worker.Register(slot.Backend, EventTag.Backend(slot));
        if (watched.IsError)
        {
            // A new connection would be refused for the same reason.
            slot.Record.Limit = LimitKind.Host;
            worker.Closer.Abort(ref slot, CloseReason.Limit);
            return watched.Errno;
        }

        // What can be read is reported; a read before that would find most connections empty, and put each in doubt in the ledger for a moment. Only one whose
        // deadline has passed meanwhile is read at once: bytes that have come count as activity, and the timer is due before the report.
        bool isDue = slot.End.NextDeadline(slot.Record, slot.LastActivity) <= worker.Now;
        SideState assumed = isDue ? SideState.Readable | SideState.Writable : SideState.Writable;
        slot.ClientState |= assumed;
        slot.BackendState |= assumed;
        worker.MakeReady(ref slot);
        worker.Closer.SetDeadline(ref slot);
        return Errno.None;
    }

    private static bool IsFrozen(in Slot slot, FrozenPlace place) => slot.State == SlotState.Frozen && slot.Generation == place.Generation;

    private FrozenPlace Freeze(ref Slot slot)
    {
        // Steps that may throw come first: until they are done the connection is intact and can be ended.
        (byte[] toBackend, ExportedPipe? pipeToBackend) = Copy(slot.ToBackend);
        (byte[] toClient, ExportedPipe? pipeToClient) = Copy(slot.ToClient);
        var exported = new ExportedConnection
        {
            Record = slot.Record,
            Client = slot.Client,
            Backend = slot.Backend,
            ClientIsUnix = slot.ClientIsUnix,
            ToBackend = toBackend,
            ToClient = toClient,
            PipeToBackend = pipeToBackend,
            PipeToClient = pipeToClient,
            LastActivity = slot.LastActivity,
            End = slot.End,
        };
        LateOptions.SetAll(ref slot);
        worker.LongQueues.Leave(ref slot, toBackend: true);
        worker.LongQueues.Leave(ref slot, toBackend: false);
        worker.Unregister(slot.Client);
        worker.Unregister(slot.Backend);
        worker.SetTimer(slot, Instant.Never);
        slot.State = SlotState.Frozen;
        return new FrozenPlace(slot.Index, slot.Generation, exported);
    }

    private Errno Continue(ref Slot slot)
    {
        (CloseReason reason, bool abort) = (slot.ReasonToEnd, slot.IsToAbort);
        (slot.ReasonToEnd, slot.IsToAbort) = (CloseReason.None, false);
        Errno error = Begin(ref slot);
        if (error != Errno.None)
        {
            return error;
        }

        if (abort)
        {
            worker.Closer.Abort(ref slot, reason);
        }
        else if (reason != CloseReason.None)
        {
            worker.Closer.Close(ref slot, reason);
        }

        return Errno.None;
    }

    // The bytes also stay where they are, for a thaw.
    private (byte[] Bytes, ExportedPipe? Pipe) Copy(in Flow flow)
    {
        if (flow.Held == 0)
        {
            return ([], null);
        }

        if (flow.Pipe != PipePool.None)
        {
            KernelPipe pipe = worker.Pipes[flow.Pipe];
            return ([], new ExportedPipe(pipe.ReadEnd, pipe.WriteEnd, pipe.Capacity, flow.Held));
        }

        return (new ReadOnlySpan<byte>(worker.Buffers[flow.Buffer] + flow.Offset, flow.Held).ToArray(), null);
    }
}

/// <summary>Where a frozen connection is: its slot, and the generation of that.</summary>
internal readonly record struct FrozenPlace(int Index, uint Generation, ExportedConnection Connection)
{
    public WaitingPipes Waiting { get; init; }

    /// <summary>It is not in the ledger before it goes on.</summary>
    public bool IsToBeNoted { get; init; }
}

/// <summary>What one step of a freeze has done.</summary>
/// <param name="Visited">Slots looked at.</param>
/// <param name="End">Slots that there are: as many have to be looked at until all have been.</param>
internal readonly record struct FreezeTurn(List<FrozenPlace> Frozen, int Visited, int End);
