using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Epoll;

/// <summary>
/// Takes established connections out of a worker as they stand, and puts such into one. Between two events a connection is nothing
/// but two sockets, the bytes it holds, and flags; that is what makes it possible.
/// </summary>
internal sealed unsafe class Migration(Worker worker)
{
    /// <summary>Takes every connection that is relaying and not about to be closed.</summary>
    public void ExportAll(List<ExportedConnection> exported)
    {
        for (int index = 0; index < worker.Slots.End; index++)
        {
            ref Slot slot = ref worker.Slots[index];
            if (slot.State == SlotState.Relaying && !slot.Cause.IsSet)
            {
                worker.Guarded(
                    static (w, export) => export.To.Add(w.Migration.Export(export.Index, ref w.Slots[export.Index])), (To: exported, Index: index), index);
            }
        }
    }

    /// <summary>Goes on with a connection; where the engine stops, or the kernel does not let it be watched, it is reset and told of.</summary>
    public void Adopt(ExportedConnection connection)
    {
        if (worker.Engine.IsStopping)
        {
            Refuse(worker.Engine, connection);
            worker.Unassign();
            return;
        }

        int index = worker.Slots.Rent();
        ref Slot slot = ref worker.Slots[index];
        slot.Client = connection.Client;
        slot.Backend = connection.Backend;
        slot.CloseBy = Instant.Never;
        slot.State = SlotState.Relaying;
        slot.Record = connection.Record;
        slot.Record.Join(worker.Engine.Snapshot.Cell);
        worker.Guarded(static (w, adopt) => w.Migration.Begin(adopt.Index, adopt.Connection), (Index: index, Connection: connection), index);
    }

    /// <summary>Ends a connection that no worker serves any more, with both peers reset and one record. Any thread.</summary>
    public static void Refuse(EpollEngine engine, ExportedConnection connection)
    {
        TcpSocket.Reset(connection.Client);
        TcpSocket.Reset(connection.Backend);
        ConnectionRecord record = connection.Record;
        record.Join(engine.Snapshot.Cell);
        record.Close(engine.Snapshot.Cell, CloseReason.Shutdown, wasFirst: false, Instant.Now(engine.Options.Clock));
        try
        {
            engine.Options.Records.Ended(record);
        }
        catch (Exception e)
        {
            engine.Log.RecordNotTaken(record.Id, e);
        }
    }

    private void Begin(int index, ExportedConnection connection)
    {
        ref Slot slot = ref worker.Slots[index];
        slot.Traffic = slot.Record.Backend!.Traffic(worker.Number);
        slot.LastActivity = connection.LastActivity;
        slot.FirstEnd = connection.FirstEnd;
        slot.BackendState |= connection.WasFirstAtBackend ? SideState.FinFirst : SideState.None;
        Put(ref slot.ToBackend, connection.ToBackend);
        Put(ref slot.ToClient, connection.ToClient);

        // Registering reports what is ready by now, FIN and errors included, so nothing that happened in between is missed.
        if (worker.Register(slot.Client, Dialer.ConnectionEvents, EventTag.Client(index, slot)).IsError
            || worker.Register(slot.Backend, Dialer.ConnectionEvents, EventTag.Backend(index, slot)).IsError)
        {
            // ENOSPC (fs.epoll.max_user_watches) or ENOMEM, for which a new connection would be refused by the same reason.
            worker.Closer.Abort(index, ref slot, CloseReason.Limit);
            return;
        }

        worker.Closer.SetDeadline(index, ref slot);
    }

    private ExportedConnection Export(int index, ref Slot slot)
    {
        if (slot.LacksKeepalive)
        {
            Closer.Keep(ref slot);
        }

        // First what may throw: until then the connection is whole, and can be ended.
        ExportedDirection toBackend = Take(ref slot.ToBackend);
        ExportedDirection toClient = Take(ref slot.ToClient);
        worker.Unregister(slot.Client);
        worker.Unregister(slot.Backend);
        slot.Record.Leave(worker.Engine.Snapshot.Cell);
        var exported = new ExportedConnection
        {
            Record = slot.Record,
            Client = slot.Client,
            Backend = slot.Backend,
            ToBackend = toBackend,
            ToClient = toClient,
            LastActivity = slot.LastActivity,
            FirstEnd = slot.FirstEnd,
            WasFirstAtBackend = (slot.BackendState & SideState.FinFirst) != 0,
        };
        worker.SetTimer(index, Instant.Never);
        worker.Slots.Return(index);
        worker.Unassign();
        return exported;
    }

    private ExportedDirection Take(ref Flow flow)
    {
        byte[] unsent = new byte[flow.Held];
        fixed (byte* start = unsent)
        {
            if (flow.Pipe != PipePool.None)
            {
                // A pipe gives what it holds without waiting; it is empty afterwards, and goes back clean.
                for (int taken = 0; taken < unsent.Length;)
                {
                    SysResult read = worker.Pipes[flow.Pipe].Read(start + taken, unsent.Length - taken);
                    if (read.IsError || read.Value == 0)
                    {
                        throw new InvalidOperationException($"a pipe that holds {flow.Held} bytes gave {taken}: {read}");
                    }

                    taken += read.Value;
                }

                flow.Held = 0;
            }
            else if (flow.Held > 0)
            {
                Buffer.MemoryCopy(worker.Buffers[flow.Buffer] + flow.Offset, start, unsent.Length, unsent.Length);
            }
        }

        worker.Transfer.Release(ref flow);
        return new ExportedDirection(unsent, flow.SourceEnded, flow.Done);
    }

    private void Put(ref Flow flow, ExportedDirection direction)
    {
        flow.SourceEnded = direction.SourceEnded;
        flow.Done = direction.Done;
        if (direction.Unsent.Length == 0)
        {
            return;
        }

        flow.Buffer = worker.Buffers.RentFor(direction.Unsent.Length);
        flow.Held = direction.Unsent.Length;
        direction.Unsent.Span.CopyTo(new Span<byte>(worker.Buffers[flow.Buffer], flow.Held));
    }
}
