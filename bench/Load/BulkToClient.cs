using System.Diagnostics;
using L4Balancer.Bench.Peers;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Bench.Load;

/// <summary>Streams from the sources to the client, which discards them in the kernel; stopped by the sources' FIN.</summary>
internal static unsafe class BulkToClient
{
    private const double Gibibyte = 1 << 30;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public static BurstResult Run(Target target, int streams, BurstLimit limit)
    {
        PeerCounters before = target.Peers.Counters();
        long processor = target.ProcessorNanoseconds();
        using Crowd? crowd = Crowd.Open(target.Address(PeerRole.Source), streams, out string? fault);
        if (crowd is null)
        {
            return BurstResult.Failed(fault!);
        }

        // A source that came only after the others were stopped would send without end.
        target.Peers.Await(c => c.Accepted - before.Accepted == streams);
        crowd.Watch(Libc.EPOLLIN);
        long start = Stopwatch.GetTimestamp();
        long received = 0;
        int ended = 0;
        while (!limit.Reached(start, received) && ended == 0)
        {
            Discard(crowd, ref received, ref ended, ref fault);
        }

        fault ??= ended > 0 ? $"{ended} streams ended before their time" : null;
        target.Peers.StopSources();
        long stopped = Stopwatch.GetTimestamp();
        while (ended < streams && Stopwatch.GetElapsedTime(stopped) < Patience)
        {
            Discard(crowd, ref received, ref ended, ref fault);
        }

        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
        crowd.Dispose();
        PeerCounters after = target.Peers.Await(c => c.Open == before.Open);
        processor = target.ProcessorNanoseconds() - processor;
        long sent = after.Sent - before.Sent;
        fault ??= received != sent ? $"{sent} bytes sent, {received} received"
            : after.Errors != before.Errors ? $"{after.Errors - before.Errors} errors at the backends"
            : null;
        return new BurstResult(received / Gibibyte, elapsed, processor, Fault: fault);
    }

    private static void Discard(Crowd crowd, ref long received, ref int ended, ref string? fault)
    {
        int events = crowd.Poll.Wait(10);
        for (int i = 0; i < events; i++)
        {
            int socket = crowd[(int)crowd.Poll.Data(i)];
            SysResult result = TcpSocket.Receive(socket, null, int.MaxValue, Libc.MSG_TRUNC);
            if (result.Errno == Errno.EAGAIN)
            {
                continue;
            }

            if (result.IsError)
            {
                fault ??= $"recv: {result.Errno}";
            }

            if (result.IsError || result.Value == 0)
            {
                ended++;
                crowd.Poll.Remove(socket);
                continue;
            }

            received += result.Value;
        }
    }
}
