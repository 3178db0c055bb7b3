using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;

namespace L4Balancer.Core.Tests.Connections;

/// <summary>The rules of an end one by one; <see cref="CloseMatrixTests"/> holds their combinations.</summary>
internal sealed class ConnectionEndTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Test]
    public void A_connection_that_finishes_in_order_has_the_reason_of_the_first_and_resets_nobody()
    {
        ModelConnection connection = Connection();
        connection.Backend.End = ModelEnd.Fin;
        connection.Run(Second);
        Assert.That((connection.IsOver, connection.Client.FinReceived), Is.EqualTo((false, true)), "half closed: FIN is passed on");
        connection.Client.End = ModelEnd.Fin;
        connection.Run(Second);
        Assert.That((connection.IsOver, connection.Reason), Is.EqualTo((true, CloseReason.BackendClosed)));
        Assert.That((connection.Client.WasReset, connection.Backend.WasReset), Is.EqualTo((false, false)));
    }

    [Test]
    public void Our_port_stays_in_TIME_WAIT_only_where_our_FIN_was_the_first()
    {
        ModelConnection client = Connection();
        client.Client.End = ModelEnd.Fin;
        client.Run(Second);
        client.Backend.End = ModelEnd.Fin;
        client.Run(Second);
        Assert.That((client.IsOver, client.LeavesTimeWait), Is.EqualTo((true, true)), "the client finished, so our FIN went to the backend first");

        ModelConnection backend = Connection();
        backend.Backend.End = ModelEnd.Fin;
        backend.Run(Second);
        backend.Client.End = ModelEnd.Fin;
        backend.Run(Second);
        Assert.That((backend.IsOver, backend.LeavesTimeWait), Is.EqualTo((true, false)));
    }

    [Test]
    public void The_first_cause_stays()
    {
        ModelConnection connection = Connection();
        connection.Close(CloseReason.Drain);
        connection.Close(CloseReason.Admin);
        connection.Client.End = ModelEnd.Reset;
        connection.Run(ConnectionEnd.Grace + Second);
        Assert.That((connection.IsOver, connection.Reason), Is.EqualTo((true, CloseReason.Drain)));
        Assert.That(connection.Shed(CloseReason.Drain), Is.EqualTo(1));
    }

    [Test]
    public void A_lingering_close_waits_for_both_peers_and_no_longer_than_the_grace()
    {
        ModelConnection answered = Connection();
        answered.Close(CloseReason.Admin);
        answered.Run(Second);
        Assert.That((answered.IsOver, answered.Client.FinReceived, answered.Backend.FinReceived), Is.EqualTo((false, true, true)));
        answered.Client.End = answered.Backend.End = ModelEnd.Fin;
        answered.Run(Second);
        Assert.That((answered.IsOver, answered.Client.WasReset, answered.Backend.WasReset), Is.EqualTo((true, false, false)));

        ModelConnection silent = Connection();
        silent.Close(CloseReason.Admin);
        silent.Run(TimeSpan.FromMinutes(1));
        Assert.That(silent.Age, Is.EqualTo(ConnectionEnd.Grace).Within(TimeSpan.FromMilliseconds(10)));
        Assert.That((silent.Client.WasReset, silent.Backend.WasReset), Is.EqualTo((false, false)), "both have had everything and our FIN");
    }

    [Test]
    public void A_reset_waits_until_the_other_side_has_acknowledged_everything()
    {
        ModelConnection connection = Connection();
        connection.Client.Acknowledges = false;
        connection.Backend.Pending = 10;
        connection.Backend.End = ModelEnd.Reset;
        connection.Run(Second);
        Assert.That((connection.IsOver, connection.Phase, connection.Client.Received), Is.EqualTo((false, EndPhase.Flushing, 10)));
        connection.Client.Unacknowledged = 0;
        connection.Run(ConnectionEnd.FlushPoll);
        Assert.That((connection.IsOver, connection.Client.WasReset, connection.Reason), Is.EqualTo((true, true, CloseReason.BackendReset)));
    }

    [Test]
    public void The_half_close_timeout_counts_from_the_last_byte_after_one_side_has_finished()
    {
        ModelConnection connection = Connection();
        connection.Run(50 * Second);
        connection.Client.End = ModelEnd.Fin;
        connection.Run(15 * Second);
        connection.Backend.Pending = 1;
        connection.Run(15 * Second);
        Assert.That(connection.IsOver, Is.False, "a byte moved meanwhile");
        connection.Run(TimeSpan.FromMinutes(1));
        Assert.That((connection.IsOver, connection.Reason), Is.EqualTo((true, CloseReason.HalfCloseTimeout)));
    }

    [Test]
    public void One_that_is_too_old_is_closed_in_good_order()
    {
        ModelConnection connection = Connection(maxAge: TimeSpan.FromMinutes(1));
        connection.Run(TimeSpan.FromMinutes(2), _ => connection.Backend.Pending = 1);
        Assert.That((connection.IsOver, connection.Reason), Is.EqualTo((true, CloseReason.MaxAge)));
        Assert.That(connection.Age, Is.InRange(TimeSpan.FromSeconds(54), TimeSpan.FromSeconds(60) + ConnectionEnd.Grace + Second));
    }

    private static ModelConnection Connection(TimeSpan maxAge = default) =>
        new(idle: TimeSpan.FromSeconds(60), halfClose: TimeSpan.FromSeconds(20), maxAge);
}
