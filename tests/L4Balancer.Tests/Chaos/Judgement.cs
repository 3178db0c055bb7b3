namespace L4Balancer.Tests.Chaos;

/// <summary>Lays the three books of one connection side by side.</summary>
internal static class Judgement
{
    // A refused client gets a reset for these; for the others it may have left first.
    private static readonly string[] RefusedByReset = ["no_backend", "limit", "denied", "connect_failed", "connect_timeout"];

    private static readonly string[] OfRefused =
    [
        "no_backend", "limit", "denied", "connect_failed", "connect_timeout", "source_ports_exhausted", "client_reset", "client_closed",
        "admin",
    ];

    private static readonly string[] OfClosed =
    [
        "client_closed", "backend_closed", "client_reset", "backend_reset", "idle_timeout", "half_close_timeout", "max_age",
        "backend_removed", "drain", "rebalance", "backend_down", "admin",
    ];

    /// <summary>All that cannot have been, one sentence each.</summary>
    /// <param name="mayBeUncounted">As <see cref="Ledger.MayBeUncounted"/>.</param>
    /// <param name="isLast">The daemon was stopped while the connection was there.</param>
    public static IEnumerable<string> Of(Page page, JudgedTotals judged, long mayBeUncounted, bool isLast)
    {
        if (page.Client is not null)
        {
            judged.Kinds[page.Plan.Kind] = judged.Kinds.GetValueOrDefault(page.Plan.Kind) + 1;
        }

        judged.Bytes += (page.Client?.Received ?? 0) + page.Backends.Sum(b => b.Received);
        if (page.Backends.Count > 1)
        {
            yield return "the bytes of one client came twice";
        }

        if (page.Lines.Count > 1)
        {
            yield return "the access log has more than one line for it";
        }

        if (page.Lines.Count == 0)
        {
            foreach (string fault in OfUnlogged(page, judged))
            {
                yield return fault;
            }

            yield break;
        }

        AccessEntry line = page.Lines[0];
        IEnumerable<string> faults = line.IsRefused ? OfRefusedOne(page, line) : OfEstablished(page, line, judged, mayBeUncounted);
        string[] allowed = line.IsRefused ? OfRefused : OfClosed;
        if (!allowed.Contains(line.Reason) && !(isLast && line.Reason == "shutdown"))
        {
            yield return $"{line.Reason} is no reason that anything here can cause";
        }

        if (line.Listener != page.Plan.Listener)
        {
            yield return "the access log names another listener";
        }

        foreach (string fault in faults)
        {
            yield return fault;
        }
    }

    // Accepted by the kernel, and reset before the balancer had accepted it: its listener had left the configuration.
    private static IEnumerable<string> OfUnlogged(Page page, JudgedTotals judged)
    {
        if (page.Backends.Count > 0 || page.Client is { Received: > 0 })
        {
            yield return "the access log has no line for it";
        }

        if (page.Client is not null)
        {
            judged.NeverAccepted++;
        }
    }

    private static IEnumerable<string> OfRefusedOne(Page page, AccessEntry line)
    {
        if (page.Client is { Received: > 0 } || page.Backends.Count > 0 || line.ToBackend + line.ToClient > 0)
        {
            yield return "refused, but bytes were relayed";
        }

        if (page.Client is { SawFin: true } && RefusedByReset.Contains(line.Reason))
        {
            yield return "refused by a FIN instead of a reset";
        }
    }

    private static IEnumerable<string> OfEstablished(Page page, AccessEntry line, JudgedTotals judged, long mayBeUncounted)
    {
        StreamEnd? client = page.Client;
        StreamEnd? backend = page.Backends.FirstOrDefault();
        bool isWhole = line is { Backend: not null, Attempts: > 0, Queue: >= 0, Connect: >= 0 };
        if (!isWhole || line.Total < line.Connect)
        {
            yield return "the times or the backend of the line cannot be right";
        }

        foreach (string fault in OfDirection("to_backend", line, line.ToBackend, mayBeUncounted, client, backend)
            .Concat(OfDirection("to_client", line, line.ToClient, mayBeUncounted, backend, client)))
        {
            yield return fault;
        }

        if (line.IsOrdinary && line.ToBackend >= ByteStream.HeadSize && backend is null)
        {
            yield return "closed in good order, but no backend has seen it";
        }

        if (line.Reason == "client_reset" && client is { MayHaveReset: false })
        {
            yield return "the client is blamed for a reset that it did not send";
        }

        if (line.Reason == "backend_reset" && backend is { MayHaveReset: false })
        {
            yield return "the backend is blamed for a reset that it did not send";
        }

        if (line.Reason is "idle_timeout" or "half_close_timeout" && !page.Plan.MayBeQuiet)
        {
            yield return "a connection that always had something to do was cut as quiet";
        }

        if (line.IsOrdinary && client is { IsComplete: true } && backend is { IsComplete: true })
        {
            judged.InGoodOrder++;
        }
    }

    private static IEnumerable<string> OfDirection(
        string name, AccessEntry line, long relayed, long mayBeUncounted, StreamEnd? from, StreamEnd? to)
    {
        if (relayed > (from?.Offered ?? 0))
        {
            yield return $"{name} is more than was sent";
        }

        if (to is null)
        {
            yield break;
        }

        bool isReset = line.Reason is "client_reset" or "backend_reset";
        if (to.Received > relayed + (isReset ? mayBeUncounted : 0))
        {
            yield return $"{name} is less than was received";
        }

        if (to.SawFin && to.Received != relayed)
        {
            yield return $"{name} is not what was received before the FIN";
        }

        if (line.IsOrdinary && to.SawFin && from is not null && (!from.SentFin || to.Received != from.Sent))
        {
            yield return $"{name}: closed in good order, but the FIN came before the last byte that was sent";
        }
    }
}
