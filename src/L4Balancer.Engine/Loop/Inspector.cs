using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Inspection;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Loop;

/// <summary>
/// Between accept and connect: looks at the first bytes of a client until the set-up can decide. They stay in the kernel (MSG_PEEK), so that
/// a client that waits costs no buffer and the relay forwards from the first byte; only a PROXY header is read, by its exact length.
/// SO_RCVLOWAT is set to the bytes that are still missing (socket(7); a TCP socket that is polled heeds it since Linux 2.6.28).
/// </summary>
internal sealed unsafe class Inspector(Worker worker)
{
    /// <summary>By <see cref="Slot.Setup"/>.</summary>
    private readonly Chunks<Inspection> _inspections = new();

    /// <summary>Begins to wait for the first bytes. The client is registered: an event reports what has come already.</summary>
    /// <param name="until">When the set-up is to be asked what becomes of the connection.</param>
    public void Begin(ref Slot slot, Instant until)
    {
        _inspections.Grow(slot.Setup) = new Inspection { Until = until };
        slot.State = SlotState.Inspecting;
        worker.SetTimer(slot, until);
    }

    public void ClientEvent(ref Slot slot, PollEvents events)
    {
        ref Inspection inspection = ref _inspections[slot.Setup];
        if ((events & PollEvents.Error) != 0 || ((events & PollEvents.HangUp) != 0 && !slot.ClientIsUnix))
        {
            worker.Dialer.Abandon(ref slot, CloseReason.ClientReset);
        }
        else if (inspection.IsDelayed
            || (events & (PollEvents.Readable | PollEvents.Urgent | PollEvents.PeerFinished | PollEvents.HangUp)) == 0)
        {
            return;
        }
        else if (inspection.Looks < FirstBytes.FreeLooks)
        {
            Look(ref slot);
        }
        else
        {
            Instant next = worker.Now + FirstBytes.PauseBefore(inspection.LowWater);
            inspection.IsDelayed = true;
            worker.SetTimer(slot, next < inspection.Until ? next : inspection.Until);
        }
    }

    public void DeadlinePassed(ref Slot slot)
    {
        ref Inspection inspection = ref _inspections[slot.Setup];

        // Also where no look is delayed: fewer bytes than SO_RCVLOWAT are no event, and may be enough to see that this is another protocol.
        Look(ref slot);
        if (slot.State != SlotState.Inspecting || worker.Now < inspection.Until)
        {
            return;
        }

        ref ConnectionSetup setup = ref worker.Dialer.SetupOf(slot);
        SetupStep step = setup.DeadlinePassed(ref slot.Record, worker.Engine.Snapshot, worker.IsLate, worker.Now);
        if (step.Action == SetupAction.Inspect)
        {
            inspection.Until = step.Deadline;
            worker.SetTimer(slot, step.Deadline);
        }
        else
        {
            Conclude(ref slot, step);
        }
    }

    /// <summary>One look, and what follows from it.</summary>
    public void Look(ref Slot slot)
    {
        ref Inspection inspection = ref _inspections[slot.Setup];
        inspection.Looks = (byte)Math.Min(inspection.Looks + 1, FirstBytes.FreeLooks);
        if (inspection.IsDelayed)
        {
            inspection.IsDelayed = false;
            worker.SetTimer(slot, inspection.Until);
        }

        while (true)
        {
            ref ConnectionSetup setup = ref worker.Dialer.SetupOf(slot);
            int window = FirstBytes.Window(setup);
            SysResult seen = TcpSocket.Receive(slot.Client, worker.Buffers.Scratch, window, Libc.MSG_PEEK);
            if (seen.IsError && seen.Errno != Errno.EAGAIN)
            {
                worker.Dialer.Abandon(ref slot, CloseReason.ClientReset);
                return;
            }

            // An edge with the FIN came before this look, so that what is seen is all that will ever come.
            int count = seen.IsError ? 0 : seen.Value;
            bool hasFinished = !seen.IsError && (count == 0 || (count < window && (slot.ClientState & SideState.Ending) != 0));
            FirstLook look = FirstBytes.Examine(
                ref setup, ref slot.Record, new ReadOnlySpan<byte>(worker.Buffers.Scratch, count), hasFinished, worker.Engine.Snapshot, worker.Now);
            if (!look.IsDecided)
            {
                if (!IsCutShort(slot, count, window))
                {
                    SetLowWater(ref slot, look.Needed);
                    return;
                }

                look = FirstLook.Decided(setup.HeadUnreadable(ref slot.Record, worker.Engine.Snapshot, worker.Now));
            }

            Consume(slot.Client, look.Consumed);
            if (look.Step.Action != SetupAction.Inspect)
            {
                Conclude(ref slot, look.Step);
                return;
            }
        }
    }

    // Whether more is there than can be seen: a peek ends at the mark of urgent data, and only reading goes past that (net/ipv4/tcp.c,
    // tcp_recvmsg_locked). What comes while this looks is seen by the second peek.
    private bool IsCutShort(in Slot slot, int seen, int window) =>
        (slot.ClientState & SideState.Urgent) != 0
        && TcpSocket.Unread(slot.Client) > seen
        && TcpSocket.Receive(slot.Client, worker.Buffers.Scratch, window, Libc.MSG_PEEK).Value == seen;

    private void Conclude(ref Slot slot, SetupStep step)
    {
        if (step.Action != SetupAction.Refuse)
        {
            SetLowWater(ref slot, 1);
        }

        worker.Dialer.Apply(ref slot, step);
    }

    // Without effect on a UNIX socket, which reports every write (net/unix/af_unix.c, unix_poll): there the ticks alone limit the looks.
    private void SetLowWater(ref Slot slot, int bytes)
    {
        ref Inspection inspection = ref _inspections[slot.Setup];
        if (Math.Max(inspection.LowWater, 1) != bytes)
        {
            inspection.LowWater = bytes;
            TcpSocket.SetOption(slot.Client, Libc.SOL_SOCKET, Libc.SO_RCVLOWAT, bytes);
        }
    }

    // The bytes are there. An error can only be a reset, which the next event reports.
    private void Consume(int socket, int count)
    {
        while (count > 0)
        {
            SysResult read = TcpSocket.Receive(socket, worker.Buffers.Scratch, count);
            if (read.IsError || read.Value == 0)
            {
                return;
            }

            count -= read.Value;
        }
    }

    private struct Inspection
    {
        public Instant Until;

        /// <summary>SO_RCVLOWAT, in bytes; 0 and 1 are the same.</summary>
        public int LowWater;

        /// <summary>Counted up to <see cref="FirstBytes.FreeLooks"/>.</summary>
        public byte Looks;

        /// <summary>Something has come, and the timer is set to the next look.</summary>
        public bool IsDelayed;
    }
}
