using System.Buffers;
using System.IO.Pipelines;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Inspection;

namespace L4Balancer.Engine.Managed;

/// <content>
/// The first bytes of the client: looked at in its pipe, where they stay for the backend, apart from a PROXY header.
/// </content>
internal sealed partial class ManagedConnection
{
    private static readonly Action<object?> EndLook = static direction => ((Direction)direction!).EndLook();

    private async Task<SetupStep> InspectAsync(SetupStep step)
    {
        Direction client = _relay.FromClient;
        using var deadline = new CancellationTokenSource(_engine.Until(step.Deadline), _engine.Options.Clock);
        using CancellationTokenRegistration late = deadline.Token.UnsafeRegister(EndLook, client);
        using CancellationTokenRegistration closed = _closing.Reading.UnsafeRegister(EndLook, client);
        int seen = 0;
        for (int looks = 0; ; looks++)
        {
            if (looks >= FirstBytes.FreeLooks)
            {
                await PauseAsync(seen, step.Deadline).ConfigureAwait(false);
            }

            ReadResult read = await client.LookAsync().ConfigureAwait(false);
            if (read.IsCompleted)
            {
                // How the client has ended is known only afterwards: FIN, a reset, or a close by the balancer.
                await _relay.ClientEndedAsync().ConfigureAwait(false);
            }

            seen = (int)read.Buffer.Length;
            if (Looked(read, deadline.IsCancellationRequested, step.Deadline) is not { } next)
            {
                continue;
            }

            if (next.Action != SetupAction.Inspect)
            {
                client.IsLookedAt = false;
            }

            return next;
        }
    }

    private async Task PauseAsync(int seen, Instant deadline)
    {
        TimeSpan pause = FirstBytes.PauseBefore(seen);
        TimeSpan left = _engine.Until(deadline);
        await Task.Delay(left < pause ? left : pause, _engine.Options.Clock, _closing.Reading)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    // What follows from one look; null: look again.
    private SetupStep? Looked(ReadResult read, bool isOver, Instant deadline)
    {
        Direction client = _relay.FromClient;
        lock (_gate)
        {
            Instant now = _engine.Now;
            if (_closing.HasCause)
            {
                client.Looked(read.Buffer, 0, needsMore: false);
                return _setup.Abandon(ref _record, _closing.Reason, now);
            }

            FirstLook look = Examine(read.Buffer, read.IsCompleted, now);
            client.Looked(read.Buffer, look.Consumed, needsMore: !look.IsDecided);
            if (look.Consumed > 0 && HasFinishedMeanwhile(client) && _setup.ClientFinished(_record))
            {
                return _setup.Abandon(ref _record, CloseReason.ClientClosed, now);
            }

            if (look.IsDecided && look.Step.Action != SetupAction.Inspect)
            {
                return look.Step;
            }

            if (!isOver)
            {
                return null;
            }

            if (look.IsDecided)
            {
                // What follows a PROXY header may be there already: one more look, which does not wait.
                client.EndLook();
                return null;
            }

            return _setup.DeadlinePassed(ref _record, _engine.Snapshot, IsLate(deadline, now), now);
        }
    }

    // A FIN that came after the look found bytes before it, those of the PROXY header, and was not reported.
    private bool HasFinishedMeanwhile(Direction client) =>
        client.IsEmpty && !_closing.IsRead(Side.Client) && _record.Reason == CloseReason.None;

    private FirstLook Examine(ReadOnlySequence<byte> seen, bool hasFinished, Instant now)
    {
        // What is beyond the window is not looked at.
        int window = FirstBytes.Window(_setup);
        hasFinished &= seen.Length < window;
        using var bytes = new JoinedBytes(seen.Slice(0, Math.Min(seen.Length, window)));
        return FirstBytes.Examine(ref _setup, ref _record, bytes.Span, hasFinished, _engine.Snapshot, now);
    }

    private byte[] Preface(SendProxy version)
    {
        bool isSeen = _relay.FromClient.TryLook(out ReadResult read);
        ReadOnlySequence<byte> seen = isSeen ? read.Buffer.Slice(0, Math.Min(read.Buffer.Length, _setup.InspectLimit)) : default;
        using var bytes = new JoinedBytes(seen);
        Span<byte> header = stackalloc byte[ProxyPreface.Longest];
        header = header[..ProxyPreface.Write(version, _record, _setup.Inspects, _setup.InspectLimit, bytes.Span, header)];
        if (isSeen)
        {
            _relay.FromClient.Looked(read.Buffer, 0, needsMore: false);
        }

        return header.ToArray();
    }
}
