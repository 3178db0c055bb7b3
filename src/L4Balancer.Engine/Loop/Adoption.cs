using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Loop;

/// <summary>Takes over established connections of another engine, which <see cref="Migration"/> has frozen or a process has left behind.</summary>
internal sealed unsafe class Adoption(Worker worker)
{
    /// <summary>
    /// Serves these connections, for each of which <see cref="Worker.Assign"/> was called. One that it cannot serve is reset and gets a record.
    /// For the worker's thread.
    /// </summary>
    /// <returns>The connections that are not served.</returns>
    public List<AdoptFailure> Adopt(List<ExportedConnection> connections)
    {
        List<AdoptFailure> failures = [];
        foreach (ExportedConnection connection in connections)
        {
            if (Adopt(connection) is { } failure)
            {
                failures.Add(failure);
            }
        }

        return failures;
    }

    /// <summary>Resets both peers of a connection that no worker serves, and writes one record. Any thread may call.</summary>
    public static AdoptFailure Refuse(ILoopEngine engine, ExportedConnection connection, CloseReason reason, string error)
    {
        TcpSocket.Reset(connection.Client);
        TcpSocket.Reset(connection.Backend);
        Close(connection.PipeToBackend);
        Close(connection.PipeToClient);
        ConnectionRecord record = connection.Record;
        record.Join(engine.Snapshot.State);
        record.Close(engine.Snapshot.State, reason, wasFirst: false, Instant.Now(engine.Options.Clock));
        try
        {
            engine.Options.Records.Ended(record);
        }
        catch (Exception e)
        {
            engine.Log.RecordNotTaken(record.Id, e);
        }

        return new AdoptFailure(record.Id, reason, error);
    }

    private AdoptFailure? Adopt(ExportedConnection connection)
    {
        if (worker.Engine.IsStopping)
        {
            return RefuseAssigned(connection, CloseReason.Shutdown, "the engine is stopping");
        }

        int index = Slot.NoDescriptor;
        try
        {
            index = worker.Slots.Rent();
            worker.Slots.BeginRelay(ref worker.Slots[index]);
        }
        catch (Exception e)
        {
            // The tables could not grow.
            if (index >= 0)
            {
                worker.Slots.Return(index);
            }

            return RefuseAssigned(connection, CloseReason.Internal, e.Message);
        }

        ref Slot slot = ref worker.Slots[index];
        slot.Client = connection.Client;
        slot.Backend = connection.Backend;
        slot.ClientIsUnix = connection.ClientIsUnix;
        slot.State = SlotState.Established;
        slot.End = connection.End;
        slot.LastActivity = connection.LastActivity;
        slot.Record = connection.Record;
        slot.Record.Join(worker.Engine.Snapshot.State);
        try
        {
            slot.Traffic = slot.Record.Backend!.Traffic(worker.Number);
            Put(ref slot.ToBackend, connection.ToBackend, connection.PipeToBackend);
            Put(ref slot.ToClient, connection.ToClient, connection.PipeToClient);
            if (connection.LacksOptions)
            {
                LateOptions.Begin(ref slot, slot.Record.LocalEndpoint.IsUnix);
            }

            Errno error = worker.Migration.Begin(ref slot);
            if (error == Errno.None)
            {
                worker.Notes.Established(slot);
                return null;
            }

            return new AdoptFailure(connection.Record.Id, CloseReason.Limit, $"cannot watch it: {error}");
        }
        catch (Exception e)
        {
            worker.Guard.Fail(index, e);
            return new AdoptFailure(connection.Record.Id, CloseReason.Internal, e.Message);
        }
    }

    private AdoptFailure RefuseAssigned(ExportedConnection connection, CloseReason reason, string error)
    {
        AdoptFailure failure = Refuse(worker.Engine, connection, reason, error);
        worker.Unassign(isEstablished: true);
        return failure;
    }

    private void Put(ref Flow flow, ReadOnlyMemory<byte> unsent, ExportedPipe? exported)
    {
        if (exported is { } pipe)
        {
            var ends = new KernelPipe(pipe.ReadEnd, pipe.WriteEnd, pipe.Capacity);
            if (pipe.Held > 0 && worker.Pipes.TryAdopt(ends, out flow.Pipe))
            {
                // The bytes stay where they are: in memory they would be lost with this process.
                flow.Held = pipe.Held;
                flow.Splicing = true;
            }
            else
            {
                CopyOut(ref flow, ends, pipe.Held);
            }
        }
        else if (unsent.Length > 0)
        {
            flow.Buffer = worker.Buffers.RentFor(unsent.Length);
            flow.Held = unsent.Length;
            unsent.Span.CopyTo(new Span<byte>(worker.Buffers[flow.Buffer], flow.Held));
        }
    }

    // Reading what a pipe holds does not block.
    private void CopyOut(ref Flow flow, KernelPipe pipe, int held)
    {
        try
        {
            if (held <= 0)
            {
                return;
            }

            flow.Buffer = worker.Buffers.RentFor(held);
            while (flow.Held < held)
            {
                SysResult read = pipe.Read(worker.Buffers[flow.Buffer] + flow.Held, held - flow.Held);
                if (read.IsError || read.Value == 0)
                {
                    throw new InvalidOperationException($"expected {held} bytes in the pipe, read {flow.Held}: {read}");
                }

                flow.Held += read.Value;
            }
        }
        finally
        {
            pipe.Close();
        }
    }

    private static void Close(ExportedPipe? exported)
    {
        if (exported is { } pipe)
        {
            new KernelPipe(pipe.ReadEnd, pipe.WriteEnd, pipe.Capacity).Close();
        }
    }
}
