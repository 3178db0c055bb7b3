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
    public void Bytes_that_a_slow_reader_acknowledges_are_activity()
    {
        ModelConnection connection = Connection();
        connection.Client.Acknowledges = false;
        connection.Backend.Pending = 1_000_000;
        connection.Run(TimeSpan.FromMinutes(10), at => connection.Client.Unacknowledged = (int)Math.Max(1, 1_000_000 - (1000 * at.TotalSeconds)));
        Assert.That(connection.IsOver, Is.False, "it reads a thousand bytes a second");
        connection.Run(TimeSpan.FromMinutes(10));
        Assert.That((connection.IsOver, connection.Reason), Is.EqualTo((true, CloseReason.IdleTimeout)), "it has stopped");
        Assert.That(connection.Age, Is.InRange(TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(12.5)));
    }

    [Test]
    public void A_reader_that_acknowledges_nothing_is_idle_an_eighth_later_at_most()
    {
        ModelConnection connection = Connection();
        connection.Client.Acknowledges = false;
        connection.Backend.Pending = 1000;
        connection.Run(TimeSpan.FromMinutes(10));
        Assert.That((connection.IsOver, connection.Reason), Is.EqualTo((true, CloseReason.IdleTimeout)));
        Assert.That(connection.Age, Is.EqualTo(TimeSpan.FromSeconds(67.5) + ConnectionEnd.Grace).Within(TimeSpan.FromMilliseconds(50)));
    }

    [Test]
    public void A_side_that_could_not_be_given_what_was_read_is_reset_at_the_end_of_the_grace()
    {
        ModelConnection connection = Connection();
        connection.Client.Acknowledges = false;
        connection.Backend.Pending = 1000;
        connection.Run(Second);
        connection.Close(CloseReason.Admin);
        connection.Run(ConnectionEnd.Grace + Second);
        Assert.That((connection.IsOver, connection.Client.WasReset, connection.Backend.WasReset), Is.EqualTo((true, true, false)));
    }

    [TestCase(LossKind.TimedOut, CloseReason.BackendTimeout)]
    [TestCase(LossKind.Reset, CloseReason.BackendReset)]
    public void A_peer_that_the_kernel_gave_up_is_a_timeout(LossKind loss, CloseReason expected)
    {
        ModelConnection connection = Connection();
        connection.Backend.Loss = loss;
        connection.Backend.End = ModelEnd.Reset;
        connection.Run(Second);
        Assert.That((connection.IsOver, connection.Reason), Is.EqualTo((true, expected)));
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

    [TestCase(0, 5)]
    [TestCase(100, 5)]
    [TestCase(4000, 200)]
    [TestCase(10_000, 500)]
    [TestCase(1_000_000, 500)]
    public void The_more_wait_for_their_send_queues_the_less_often_each_is_looked_at(int waiting, int milliseconds) =>
        Assert.That(ConnectionEnd.FlushPollOf(waiting), Is.EqualTo(TimeSpan.FromMilliseconds(milliseconds)));
}
