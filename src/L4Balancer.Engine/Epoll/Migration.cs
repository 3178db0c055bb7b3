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
                exported.Add(Export(index, ref slot));
            }
        }
    }

    public void Adopt(ExportedConnection connection)
    {
        int index = worker.Slots.Rent();
        ref Slot slot = ref worker.Slots[index];
        slot.Record = connection.Record;
        slot.Record.Join(worker.Engine.Snapshot.Cell);
        slot.Client = connection.Client;
        slot.Backend = connection.Backend;
        slot.Traffic = slot.Record.Backend!.Traffic(worker.Number);
        slot.LastActivity = connection.LastActivity;
        slot.FirstEnd = connection.FirstEnd;
        slot.BackendState |= connection.WasFirstAtBackend ? SideState.FinFirst : SideState.None;
        slot.CloseBy = Instant.Never;
        slot.State = SlotState.Relaying;
        Put(ref slot.ToBackend, connection.ToBackend);
        Put(ref slot.ToClient, connection.ToClient);

        // Registering reports what is ready by now, FIN and errors included, so nothing that happened in between is missed.
        worker.Register(slot.Client, Dialer.ConnectionEvents, EventTag.Client(index, slot));
        worker.Register(slot.Backend, Dialer.ConnectionEvents, EventTag.Backend(index, slot));
        worker.Closer.SetDeadline(index, ref slot);
    }

    private ExportedConnection Export(int index, ref Slot slot)
    {
        if (slot.LacksKeepalive)
        {
            Closer.Keep(ref slot);
        }

        worker.Unregister(slot.Client);
        worker.Unregister(slot.Backend);
        slot.Record.Leave(worker.Engine.Snapshot.Cell);
        var exported = new ExportedConnection
        {
            Record = slot.Record,
            Client = slot.Client,
            Backend = slot.Backend,
            ToBackend = Take(ref slot.ToBackend),
            ToClient = Take(ref slot.ToClient),
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
