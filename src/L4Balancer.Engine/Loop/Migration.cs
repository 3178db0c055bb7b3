using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Loop;

/// <summary>
/// Exports established connections from a worker, and adopts exported ones. This is possible because between two events the state of a
/// connection consists only of two sockets, the bytes it holds, and flags.
/// </summary>
internal sealed unsafe class Migration(Worker worker)
{
    /// <summary>Exports every connection that is relaying and not about to be closed.</summary>
    public void ExportAll(List<ExportedConnection> exported)
    {
        for (int index = 0; index < worker.Slots.End; index++)
        {
            ref Slot slot = ref worker.Slots[index];
            if (slot.IsRelaying && !slot.End.HasCause)
            {
                worker.Guard.Run(
                    static (w, export) => export.To.Add(w.Migration.Export(ref w.Slots[export.Index])), (To: exported, Index: index), index);
            }
        }
    }

    /// <summary>Adopts a connection. If the engine stops or the kernel refuses to watch it, it is reset and a record is written.</summary>
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
        worker.Slots.BeginRelay(ref slot);
        slot.Client = connection.Client;
        slot.Backend = connection.Backend;
        slot.ClientIsUnix = connection.ClientIsUnix;
        slot.State = SlotState.Established;
        slot.End = connection.End;
        slot.Record = connection.Record;
        slot.Record.Join(worker.Engine.Snapshot.State);
        worker.Guard.Run(static (w, adopt) => w.Migration.Begin(adopt.Index, adopt.Connection), (Index: index, Connection: connection), index);
    }

    /// <summary>Resets both peers of a connection that no worker serves any more, and writes one record. Any thread may call.</summary>
    public static void Refuse(ILoopEngine engine, ExportedConnection connection)
    {
        TcpSocket.Reset(connection.Client);
        TcpSocket.Reset(connection.Backend);
        connection.PipeToBackend?.ToKernelPipe().Close();
        connection.PipeToClient?.ToKernelPipe().Close();
        ConnectionRecord record = connection.Record;
        record.Join(engine.Snapshot.State);
        record.Close(engine.Snapshot.State, CloseReason.Shutdown, wasFirst: false, Instant.Now(engine.Options.Clock));
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
        Put(ref slot.ToBackend, connection.ToBackend, connection.PipeToBackend);
        Put(ref slot.ToClient, connection.ToClient, connection.PipeToClient);
        if (connection.LacksOptions)
        {
            LateOptions.Begin(ref slot, slot.Record.LocalEndpoint.IsUnix);
        }

        // Registering reports the current readiness, FIN and errors included, so events that occurred in between are not missed.
        if (worker.Register(slot.Client, EventTag.Client(slot)).IsError
            || worker.Register(slot.Backend, EventTag.Backend(slot)).IsError)
        {
            // ENOSPC (fs.epoll.max_user_watches) or ENOMEM. A new connection would be refused for the same reason.
            slot.Record.Limit = LimitKind.Host;
            worker.Closer.Abort(ref slot, CloseReason.Limit);
            return;
        }

        worker.Notes.Established(slot);
        worker.Closer.SetDeadline(ref slot);
    }

    private ExportedConnection Export(ref Slot slot)
    {
        LateOptions.SetAll(ref slot);

        // Nobody else may go on with it from here. Steps that may throw come first: until they are done the connection is intact and can be ended.
        worker.Ledger?.End(slot.Index);
        byte[] toBackend = Take(ref slot, toBackend: true);
        byte[] toClient = Take(ref slot, toBackend: false);
        worker.Unregister(slot.Client);
        worker.Unregister(slot.Backend);
        worker.LongQueues.Leave(ref slot, toBackend: true);
        worker.LongQueues.Leave(ref slot, toBackend: false);
        slot.Record.Leave(worker.Engine.Snapshot.State);
        var exported = new ExportedConnection
        {
            Record = slot.Record,
            Client = slot.Client,
            Backend = slot.Backend,
            ClientIsUnix = slot.ClientIsUnix,
            ToBackend = toBackend,
            ToClient = toClient,
            LastActivity = slot.LastActivity,
            End = slot.End,
        };
        worker.SetTimer(slot, Instant.Never);
        worker.Slots.Return(slot.Index);
        worker.Unassign();
        return exported;
    }

    private byte[] Take(ref Slot slot, bool toBackend)
    {
        ref Flow flow = ref toBackend ? ref slot.ToBackend : ref slot.ToClient;
        byte[] unsent = new byte[flow.Held];
        fixed (byte* start = unsent)
        {
            if (flow.Pipe != PipePool.None)
            {
                // Reading what a pipe holds does not block. The pipe is empty afterwards and is returned clean.
                for (int taken = 0; taken < unsent.Length;)
                {
                    SysResult read = worker.Pipes[flow.Pipe].Read(start + taken, unsent.Length - taken);
                    if (read.IsError || read.Value == 0)
                    {
                        throw new InvalidOperationException($"expected {flow.Held} bytes in the pipe, read {taken}: {read}");
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

        worker.Transfer.Release(ref slot, toBackend);
        return unsent;
    }

    private void Put(ref Flow flow, ReadOnlyMemory<byte> unsent, ExportedPipe? given)
    {
        if (given is { } ends)
        {
            Put(ref flow, ends.ToKernelPipe());
        }

        if (unsent.Length == 0)
        {
            return;
        }

        flow.Buffer = worker.Buffers.RentFor(unsent.Length);
        flow.Held = unsent.Length;
        unsent.Span.CopyTo(new Span<byte>(worker.Buffers[flow.Buffer], flow.Held));
    }

    // The bytes stay in the pipe, where they outlive this process too.
    private void Put(ref Flow flow, KernelPipe pipe)
    {
        int held = pipe.Unread;
        if (held > 0 && worker.Pipes.TryAdopt(pipe, out flow.Pipe))
        {
            flow.Held = held;
            flow.Splicing = true;
            return;
        }

        flow.Buffer = held > 0 ? worker.Buffers.RentFor(held) : BufferPool.None;
        while (flow.Held < held)
        {
            SysResult read = pipe.Read(worker.Buffers[flow.Buffer] + flow.Held, held - flow.Held);
            if (read.IsError || read.Value == 0)
            {
                throw new InvalidOperationException($"expected {held} bytes in the pipe, read {flow.Held}: {read}");
            }

            flow.Held += read.Value;
        }

        pipe.Close();
    }
}
