using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;

namespace L4Balancer.Core.Tests.Connections;

/// <summary>
/// Who ends a connection how, what is still held for whom, in which state it was, and whether the sinks take it in time: every combination, against
/// the rules of the contract ("How a connection is closed").
/// </summary>
internal sealed class CloseMatrixTests
{
    private const int Bytes = 1000;

    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan HalfClose = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(50);

    /// <summary>What brings the end.</summary>
    internal enum Ending
    {
        ClientFin,
        BackendFin,
        ClientReset,
        BackendReset,
        WriteToClientFails,
        WriteToBackendFails,
        ClosedByUs,
        Quiet,
    }

    /// <summary>When a sink that holds bytes up takes them.</summary>
    internal enum Sink
    {
        AtOnce,
        WithinTheGrace,
        Never,
    }

    [TestCaseSource(nameof(Combinations))]
    public void Every_end_is_as_the_contract_says(
        Ending ending, bool forClient, bool forBackend, Sink sink, ModelEnd clientBefore, ModelEnd backendBefore, bool acknowledges)
    {
        var connection = new ModelConnection(Idle, HalfClose, maxAge: TimeSpan.Zero);
        (ModelPeer client, ModelPeer backend) = (connection.Client, connection.Backend);
        (client.End, backend.End) = (clientBefore, backendBefore);
        client.Acknowledges = backend.Acknowledges = acknowledges;
        connection.Run(Moment);
        client.Accepts = !forClient || sink == Sink.AtOnce;
        backend.Accepts = !forBackend || sink == Sink.AtOnce;
        backend.Pending = forClient ? Bytes : 0;
        client.Pending = forBackend ? Bytes : 0;
        connection.Run(Moment);
        Assert.That(connection.IsOver, Is.False, "nothing has ended it yet");

        // A FIN behind bytes that the sink never takes is not read.
        bool clientFin = clientBefore == ModelEnd.Fin || (ending == Ending.ClientFin && !(forBackend && sink == Sink.Never));
        bool backendFin = backendBefore == ModelEnd.Fin || (ending == Ending.BackendFin && !(forClient && sink == Sink.Never));
        CloseReason expected = Expected(ending, clientFin, backendFin, first: clientBefore == ModelEnd.Fin ? Side.Client : Side.Backend);
        TimeSpan before = connection.Age;
        Bring(ending, connection);
        connection.Run(TimeSpan.FromMinutes(5), passed =>
        {
            if (passed >= TimeSpan.FromSeconds(2) && sink == Sink.WithinTheGrace)
            {
                client.Accepts = backend.Accepts = true;
            }
        });
        Assert.That(connection.IsOver, "it ends");
        Assert.Multiple(() =>
        {
            Assert.That(connection.Reason, Is.EqualTo(expected));
            AssertDelivered(ending, connection, forClient, forBackend, sink);
            Assert.That(connection.Age - before, Is.LessThanOrEqualTo(Most(expected) + Moment));
            Assert.That(connection.Shed(connection.Reason), Is.EqualTo(ending == Ending.ClosedByUs ? 1 : 0));
            if (ending is Ending.ClientReset or Ending.WriteToClientFails)
            {
                Assert.That((backend.WasReset, client.WasReset), Is.EqualTo((true, false)), "a reset is passed on, to the other side alone");
                Assert.That(backend.FinReceived, Is.EqualTo(clientBefore == ModelEnd.Fin), "and not as a FIN");
            }
            else if (ending is Ending.BackendReset or Ending.WriteToBackendFails)
            {
                Assert.That((backend.WasReset, client.WasReset), Is.EqualTo((false, true)), "a reset is passed on, to the other side alone");
                Assert.That(client.FinReceived, Is.EqualTo(backendBefore == ModelEnd.Fin), "and not as a FIN");
                Assert.That(connection.LeavesTimeWait, Is.False);
            }
            else
            {
                // At the end of the grace, bytes that were written and not acknowledged are not delivered either.
                bool byUs = expected is CloseReason.Drain or CloseReason.IdleTimeout or CloseReason.HalfCloseTimeout;
                Assert.That(
                    client.WasReset, Is.EqualTo(client.Received < (forClient ? Bytes : 0) || (byUs && client.Unacknowledged > 0)),
                    "only who could not be given all is reset");
                Assert.That(
                    backend.WasReset, Is.EqualTo(backend.Received < (forBackend ? Bytes : 0) || (byUs && backend.Unacknowledged > 0)),
                    "only who could not be given all is reset");
            }
        });
    }

    // All that can be: a side ends once, a side that has finished has sent nothing since, and a write that fails needs something to write.
    private static IEnumerable<object[]> Combinations() =>
        from ending in Enum.GetValues<Ending>()
        from forClient in new[] { false, true }
        from forBackend in new[] { false, true }
        from sink in Enum.GetValues<Sink>()
        from before in new (bool Client, bool Backend)[] { (false, false), (true, false), (false, true) }
        from acknowledges in new[] { false, true }
        where !(before.Client && (forBackend || ending is Ending.ClientFin or Ending.ClientReset))
        where !(before.Backend && (forClient || ending is Ending.BackendFin or Ending.BackendReset))
        where ending != Ending.WriteToClientFails || forClient
        where ending != Ending.WriteToBackendFails || forBackend
        where sink == Sink.AtOnce || forClient || forBackend
        select new object[]
        {
            ending, forClient, forBackend, sink, before.Client ? ModelEnd.Fin : ModelEnd.None, before.Backend ? ModelEnd.Fin : ModelEnd.None,
            acknowledges,
        };

    private static void Bring(Ending ending, ModelConnection connection)
    {
        switch (ending)
        {
            case Ending.ClientFin:
            case Ending.ClientReset:
                connection.Client.End = ending == Ending.ClientFin ? ModelEnd.Fin : ModelEnd.Reset;
                break;
            case Ending.BackendFin:
            case Ending.BackendReset:
                connection.Backend.End = ending == Ending.BackendFin ? ModelEnd.Fin : ModelEnd.Reset;
                break;
            case Ending.WriteToClientFails:
                (connection.Client.FailsWrites, connection.Client.End) = (true, ModelEnd.Reset);
                connection.Client.Accepts = true;
                break;
            case Ending.WriteToBackendFails:
                (connection.Backend.FailsWrites, connection.Backend.End) = (true, ModelEnd.Reset);
                connection.Backend.Accepts = true;
                break;
            case Ending.ClosedByUs:
                connection.Close(CloseReason.Drain);
                break;
        }
    }

    private static CloseReason Expected(Ending ending, bool clientFin, bool backendFin, Side first) => ending switch
    {
        Ending.ClientReset or Ending.WriteToClientFails => CloseReason.ClientReset,
        Ending.BackendReset or Ending.WriteToBackendFails => CloseReason.BackendReset,
        Ending.ClosedByUs => CloseReason.Drain,

        // Both have finished: the reason is the first one's. One alone: the other side is quiet until the half-close timeout.
        _ when clientFin && backendFin => first == Side.Client ? CloseReason.ClientClosed : CloseReason.BackendClosed,
        _ when clientFin || backendFin => CloseReason.HalfCloseTimeout,
        _ => CloseReason.IdleTimeout,
    };

    private static void AssertDelivered(Ending ending, ModelConnection connection, bool forClient, bool forBackend, Sink sink)
    {
        if (sink == Sink.Never)
        {
            return;
        }

        if (forClient && ending != Ending.WriteToClientFails && ending != Ending.ClientReset)
        {
            Assert.That(connection.Client.Received, Is.EqualTo(Bytes), "what the backend had sent reaches the client");
        }

        if (forBackend && ending != Ending.WriteToBackendFails && ending != Ending.BackendReset)
        {
            Assert.That(connection.Backend.Received, Is.EqualTo(Bytes), "what the client had sent reaches the backend");
        }
    }

    // Activity in the first two seconds puts a timeout off, and bytes that are not acknowledged by an eighth.
    private static TimeSpan Most(CloseReason reason) => ConnectionEnd.Grace + reason switch
    {
        CloseReason.IdleTimeout => (Idle * 9 / 8) + TimeSpan.FromSeconds(2),
        CloseReason.HalfCloseTimeout => (HalfClose * 9 / 8) + TimeSpan.FromSeconds(2),
        _ => TimeSpan.Zero,
    };
}
