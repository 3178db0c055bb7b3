using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Inspection;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Engine.Inspection;

/// <summary>
/// Reads what a client sends first, for both engines: passes it to the parser that the set-up asks for, and the result back to the set-up.
/// Any thread may call, for one connection one at a time.
/// </summary>
internal static class FirstBytes
{
    /// <summary>
    /// So many looks at one client are free. Before each further one there is a pause, because a client that sends single bytes could have
    /// its head parsed from the beginning at each of them.
    /// </summary>
    public const int FreeLooks = 16;

    /// <summary>The pause of few bytes: that of the timers of event loops.</summary>
    public static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(8);

    /// <summary>
    /// The pause grows by <see cref="ShortestPause"/> with each so many bytes. So at most 128 KiB are parsed in a second for one client, however
    /// close to <c>inspect_limit</c> it dawdles.
    /// </summary>
    private const int BytesPerPause = 1024;

    /// <summary>The parser of ClientHellos joins the records of one hello here; one buffer for each thread, made when it is first needed.</summary>
    [ThreadStatic]
    private static byte[]? _joined;

    /// <summary>
    /// How many bytes a look sees at most: one more than may be needed, so that a look that is full does not take the bytes seen for all that
    /// was sent before a FIN.
    /// </summary>
    public static int Window(in ConnectionSetup setup) => (setup.AwaitsProxyHeader ? ProxyHeader.Longest : setup.InspectLimit) + 1;

    /// <summary>How long a look that is not free is delayed; the longer, the more there is to parse.</summary>
    /// <param name="bytes">The number of bytes that will be looked at.</param>
    public static TimeSpan PauseBefore(int bytes) => ShortestPause * (1 + (bytes / BytesPerPause));

    /// <param name="seen">Everything that was received and not consumed, from the first byte, up to <see cref="Window"/>.</param>
    /// <param name="hasFinished">The client has sent FIN, and nothing comes after <paramref name="seen"/>.</param>
    /// <param name="newest">The snapshot in force.</param>
    public static FirstLook Examine(
        ref ConnectionSetup setup, ref ConnectionRecord record, ReadOnlySpan<byte> seen, bool hasFinished, RoutingSnapshot newest, Instant now)
    {
        if (seen.IsEmpty)
        {
            return hasFinished ? FirstLook.Decided(setup.Abandon(ref record, CloseReason.ClientClosed, now)) : FirstLook.NeedMore(1);
        }

        InspectionResult result;
        if (setup.AwaitsProxyHeader)
        {
            result = ProxyHeader.TryParse(seen, out ProxyHeader header);
            if (result.Outcome == InspectionOutcome.Parsed)
            {
                NoteFinished(ref setup, record, hasFinished && seen.Length == header.Length);
                return FirstLook.Decided(setup.ProxyHeaderRead(ref record, header.Addresses, newest, now), header.Length);
            }
        }
        else if (setup.Inspects == InspectKind.Http)
        {
            result = RequestHead.TryParse(seen, setup.InspectLimit, out RequestHead head);
            if (result.Outcome == InspectionOutcome.Parsed)
            {
                return FirstLook.Decided(setup.HeadRead(ref record, new Inspected(head), newest, now));
            }
        }
        else
        {
            result = ClientHello.TryParse(seen, setup.InspectLimit, Joined(setup.InspectLimit), out ClientHello hello);
            if (result.Outcome == InspectionOutcome.Parsed)
            {
                return FirstLook.Decided(setup.HeadRead(ref record, new Inspected(hello), newest, now));
            }
        }

        return result.Outcome == InspectionOutcome.NeedMore && !hasFinished
            ? FirstLook.NeedMore(result.Needed)
            : FirstLook.Decided(setup.HeadUnreadable(ref record, newest, now));
    }

    /// <summary>A buffer of this thread that <see cref="ClientHello.TryParse"/> may use; its content is undefined between two calls.</summary>
    /// <param name="limit">In bytes.</param>
    public static Span<byte> Joined(int limit)
    {
        int length = ClientHello.ScratchLength(limit);
        if (_joined is null || _joined.Length < length)
        {
            _joined = GC.AllocateUninitializedArray<byte>(length);
        }

        return _joined;
    }

    // Before the set-up goes on, which may queue the connection: no event reports the FIN a second time.
    private static void NoteFinished(ref ConnectionSetup setup, in ConnectionRecord record, bool hasFinished)
    {
        if (hasFinished)
        {
            setup.ClientFinished(record);
        }
    }
}
