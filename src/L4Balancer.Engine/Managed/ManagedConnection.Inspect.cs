using System.Buffers;
using System.IO.Pipelines;
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
    /// <summary>Between two looks at a client that has had its free ones; a tick of the other engine's timers.</summary>
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(8);

    private async Task<SetupStep> InspectAsync(SetupStep step)
    {
        using var deadline = new CancellationTokenSource(_engine.Until(step.Deadline), _engine.Options.Clock);
        using CancellationTokenRegistration late = deadline.Token.UnsafeRegister(static d => ((Direction)d!).EndLook(), _relay.FromClient);
        for (int looks = 0; ; looks++)
        {
            if (looks >= FirstBytes.FreeLooks)
            {
                await Task.Delay(BetweenLooks, _engine.Options.Clock, _closing.Reading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            ReadResult read = await _relay.FromClient.LookAsync().ConfigureAwait(false);
            if (read.IsCompleted)
            {
                // How the client has ended is known only afterwards: FIN, a reset, or a close by the balancer.
                await _relay.ClientEndedAsync().ConfigureAwait(false);
            }

            lock (_gate)
            {
                Instant now = _engine.Now;
                if (_closing.HasCause)
                {
                    _relay.FromClient.Looked(read.Buffer, 0, needsMore: false);
                    return _setup.Abandon(ref _record, _closing.Reason, now);
                }

                FirstLook look = Examine(read.Buffer, read.IsCompleted, now);
                _relay.FromClient.Looked(read.Buffer, look.Consumed, needsMore: !look.IsDecided);
                if (look.IsDecided && look.Step.Action != SetupAction.Inspect)
                {
                    return look.Step;
                }

                if (!look.IsDecided && deadline.IsCancellationRequested)
                {
                    return _setup.DeadlinePassed(ref _record, _engine.Snapshot, IsLate(step.Deadline, now), now);
                }
            }
        }
    }

    private FirstLook Examine(ReadOnlySequence<byte> seen, bool hasFinished, Instant now)
    {
        // What is beyond the limit is not looked at, and may still come after a FIN that is not looked at either.
        seen = seen.Slice(0, Math.Min(seen.Length, FirstBytes.Limit(_setup)));
        return WithSpan(seen, bytes => FirstBytes.Examine(ref _setup, ref _record, bytes, hasFinished, _engine.Snapshot, now));
    }

    private byte[] Preface(SendProxy version)
    {
        ReadOnlySequence<byte> seen = default;
        bool isSeen = _relay.FromClient.TryLook(out ReadResult read);
        if (isSeen)
        {
            seen = read.Buffer.Slice(0, Math.Min(read.Buffer.Length, _setup.InspectLimit));
        }

        byte[] header = WithSpan(seen, bytes =>
        {
            Span<byte> target = stackalloc byte[ProxyPreface.Longest];
            return target[..ProxyPreface.Write(version, _record, _setup.Inspects, _setup.InspectLimit, bytes, target)].ToArray();
        });
        if (isSeen)
        {
            _relay.FromClient.Looked(read.Buffer, 0, needsMore: false);
        }

        return header;
    }

    private static T WithSpan<T>(ReadOnlySequence<byte> seen, Func<ReadOnlySpan<byte>, T> use)
    {
        if (seen.IsSingleSegment)
        {
            return use(seen.FirstSpan);
        }

        int count = (int)seen.Length;
        byte[] joined = ArrayPool<byte>.Shared.Rent(count);
        seen.CopyTo(joined);
        T result = use(joined.AsSpan(0, count));
        ArrayPool<byte>.Shared.Return(joined);
        return result;
    }
}
