using System.Diagnostics;
using System.Runtime.InteropServices;
using L4Balancer.Bench.Peers;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Bench.Load;

/// <summary>Streams from the client to the sinks: as fast as it goes, then FIN, then counted at the other end.</summary>
internal static unsafe class BulkToBackend
{
    private const int WriteSize = 256 * 1024;
    private const double Gibibyte = 1 << 30;

    public static BurstResult Run(Target target, int streams, BurstLimit limit)
    {
        PeerCounters before = target.Peers.Counters();
        long processor = target.ProcessorNanoseconds();
        long start = Stopwatch.GetTimestamp();
        using Crowd? crowd = Crowd.Open(target.Address(PeerRole.Sink), streams, out string? fault);
        if (crowd is null)
        {
            return BurstResult.Failed(fault!);
        }

        long sent = Send(crowd, limit, start, out fault);
        for (int i = 0; i < streams; i++)
        {
            TcpSocket.ShutdownWrite(crowd[i]);
        }

        PeerCounters after = target.Peers.Await(c => c.Received - before.Received >= sent && c.Open == before.Open);
        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
        processor = target.ProcessorNanoseconds() - processor;
        long received = after.Received - before.Received;
        fault ??= received != sent ? $"{sent} bytes sent, {received} received"
            : after.Errors != before.Errors ? $"{after.Errors - before.Errors} errors at the backends"
            : null;
        return new BurstResult(received / Gibibyte, elapsed, processor, Fault: fault);
    }

    private static long Send(Crowd crowd, BurstLimit limit, long start, out string? fault)
    {
        byte* buffer = (byte*)NativeMemory.AllocZeroed(WriteSize);
        long sent = 0;
        fault = null;

        // Level-triggered: one write to each that takes some, in turn, so that no stream starves another.
        crowd.Watch(Libc.EPOLLOUT);
        while (!limit.Reached(start, sent) && fault is null)
        {
            int events = crowd.Poll.Wait(10);
            for (int i = 0; i < events; i++)
            {
                SysResult result = TcpSocket.Send(crowd[(int)crowd.Poll.Data(i)], buffer, WriteSize);
                if (!result.IsError)
                {
                    sent += result.Value;
                }
                else if (result.Errno != Errno.EAGAIN)
                {
                    fault = $"send: {result.Errno}";
                }
            }
        }

        NativeMemory.Free(buffer);
        return sent;
    }
}
