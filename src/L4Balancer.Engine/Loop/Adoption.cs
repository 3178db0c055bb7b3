using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Loop;

/// <summary>
/// Takes over established connections of another engine, which <see cref="Migration"/> has frozen or a process has left behind.
/// </summary>
internal sealed unsafe class Adoption(Worker worker)
{
    /// <summary>
    /// Serves these connections, for each of which <see cref="Worker.Assign"/> was called. One that it cannot serve is reset and gets a
    /// record. For the worker's thread.
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

    /// <summary>
    /// Puts these connections in place, frozen: as <see cref="Adopt(List{ExportedConnection})"/>, but one that it cannot take is only
    /// closed here (close(2)), because the engine that it comes from still has it.
    /// </summary>
    /// <returns>Those that stand still now, and those that were not taken.</returns>
    public (List<FrozenPlace> Frozen, List<AdoptFailure> Failures) Take(List<ExportedConnection> connections)
    {
        List<FrozenPlace> frozen = new(connections.Count);
        List<AdoptFailure> failures = [];
        foreach (ExportedConnection connection in connections)
        {
            if (TryPlace(connection, out FrozenPlace place) is { } failure)
            {
                TcpSocket.Close(connection.Client);
                TcpSocket.Close(connection.Backend);
                worker.Unassign(isEstablished: true);
                failures.Add(failure);
            }
            else
            {
                frozen.Add(place);
            }
        }

        return (frozen, failures);
    }

    /// <summary>Closes the descriptors of a connection that another engine still has, and nothing else. Any thread may call.</summary>
    public static AdoptFailure Drop(ExportedConnection connection, string error)
    {
        TcpSocket.Close(connection.Client);
        TcpSocket.Close(connection.Backend);
        Close(connection.PipeToBackend);
        Close(connection.PipeToClient);
        return new AdoptFailure(connection.Record.Id, CloseReason.Shutdown, error);
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

    /// <summary>
    /// Copies the bytes of pipes for which the pool had no place, before the connection goes on. Reading what a pipe holds does not block.
    /// </summary>
    public void CopyWaiting(ref Slot slot, WaitingPipes waiting)
    {
        try
        {
            CopyOut(ref slot.ToBackend, waiting.ToBackend);
            CopyOut(ref slot.ToClient, waiting.ToClient);
        }
        finally
        {
            Close(waiting.ToBackend);
            Close(waiting.ToClient);
        }
    }

    public static void Close(ExportedPipe? exported)
    {
        if (exported is { } pipe)
        {
            new KernelPipe(pipe.ReadEnd, pipe.WriteEnd, pipe.Capacity).Close();
        }
    }

    private AdoptFailure? Adopt(ExportedConnection connection)
    {
        if (TryPlace(connection, out FrozenPlace place) is { } refused)
        {
            ExportedConnection withoutPipes = connection with { PipeToBackend = null, PipeToClient = null };
            AdoptFailure failure = Refuse(worker.Engine, withoutPipes, refused.Reason, refused.Error);
            worker.Unassign(isEstablished: true);
            return failure;
        }

        return worker.Migration.Thaw(place);
    }

    /// <summary>Puts a connection into a slot, frozen. If it fails, the pipes are closed, and the sockets are still the caller's.</summary>
    private AdoptFailure? TryPlace(ExportedConnection connection, out FrozenPlace place)
    {
        int index = Slot.NoDescriptor;
        var pipes = new WaitingPipes(connection.PipeToBackend, connection.PipeToClient);
        place = default;
        try
        {
            if (worker.Engine.IsStopping)
            {
                Close(pipes);
                return new AdoptFailure(connection.Record.Id, CloseReason.Shutdown, "the engine is stopping");
            }

            // The tables may not be able to grow, and memory may be missing for the bytes.
            index = worker.Slots.Rent();
            ref Slot slot = ref worker.Slots[index];
            worker.Slots.BeginRelay(ref slot);
            slot.Traffic = connection.Record.Backend!.Traffic(worker.Number);
            pipes = pipes with { ToBackend = Put(ref slot.ToBackend, connection.ToBackend, pipes.ToBackend) };
            pipes = pipes with { ToClient = Put(ref slot.ToClient, connection.ToClient, pipes.ToClient) };
            slot.Client = connection.Client;
            slot.Backend = connection.Backend;
            slot.ClientIsUnix = connection.ClientIsUnix;
            slot.State = SlotState.Frozen;
            slot.End = connection.End;
            slot.LastActivity = connection.LastActivity;
            slot.Record = connection.Record;
            if (connection.LacksOptions)
            {
                LateOptions.Begin(ref slot, slot.Record.LocalEndpoint.IsUnix);
            }

            // What is held in memory is with the engine that it comes from too, which is to be asked while nothing has moved: an entry
            // would say that it is lost with this process.
            bool isLater = LedgerNotes.HoldsInMemory(slot);
            if (!isLater)
            {
                worker.Notes.Established(slot);
            }

            slot.Record.Join(worker.Engine.Snapshot.State);
            place = new FrozenPlace(index, slot.Generation, connection) { Waiting = pipes, IsToBeNoted = isLater };
            return null;
        }
        catch (Exception e)
        {
            if (index >= 0)
            {
                Vacate(ref worker.Slots[index]);
            }

            Close(pipes);
            return new AdoptFailure(connection.Record.Id, CloseReason.Internal, e.Message);
        }
    }

    private void Vacate(ref Slot slot)
    {
        worker.Ledger?.End(slot.Index);
        if (slot.HasRelay)
        {
            worker.Transfer.Release(ref slot, toBackend: true);
            worker.Transfer.Release(ref slot, toBackend: false);
        }

        worker.Slots.Return(slot.Index);
    }

    /// <returns>
    /// The pipe, if the pool has no place for it. Its bytes are not read until the connection goes on: until then they are the other
    /// engine's too.
    /// </returns>
    private ExportedPipe? Put(ref Flow flow, ReadOnlyMemory<byte> unsent, ExportedPipe? exported)
    {
        if (exported is { } pipe)
        {
            // The bytes stay where they are: in memory they would be lost with this process.
            flow.Held = Math.Max(pipe.Held, 0);
            if (pipe.Held <= 0 || !worker.Pipes.TryAdopt(new KernelPipe(pipe.ReadEnd, pipe.WriteEnd, pipe.Capacity), out flow.Pipe))
            {
                return pipe;
            }

            flow.Splicing = true;
        }
        else if (unsent.Length > 0)
        {
            flow.Buffer = worker.Buffers.RentFor(unsent.Length);
            flow.Held = unsent.Length;
            unsent.Span.CopyTo(new Span<byte>(worker.Buffers[flow.Buffer], flow.Held));
        }

        return null;
    }

    private void CopyOut(ref Flow flow, ExportedPipe? exported)
    {
        if (exported is not { Held: > 0 } pipe)
        {
            return;
        }

        flow.Held = 0;
        flow.Buffer = worker.Buffers.RentFor(pipe.Held);
        var ends = new KernelPipe(pipe.ReadEnd, pipe.WriteEnd, pipe.Capacity);
        while (flow.Held < pipe.Held)
        {
            SysResult read = ends.Read(worker.Buffers[flow.Buffer] + flow.Held, pipe.Held - flow.Held);
            if (read.IsError || read.Value == 0)
            {
                throw new InvalidOperationException($"expected {pipe.Held} bytes in the pipe, read {flow.Held}: {read}");
            }

            flow.Held += read.Value;
        }
    }

    private static void Close(WaitingPipes pipes)
    {
        Close(pipes.ToBackend);
        Close(pipes.ToClient);
    }
}

/// <summary>Pipes of a connection that stands still for which there was no place in the pool.</summary>
internal readonly record struct WaitingPipes(ExportedPipe? ToBackend, ExportedPipe? ToClient);
