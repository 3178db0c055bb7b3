using System.Diagnostics;
using L4Balancer.Bench.Peers;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Bench.Load;

/// <summary>
/// On every connection one message of 128 bytes is under way: sent, echoed, checked, and the next is sent. Connections are
/// established, and have had their first round trip, before the measurement begins; they end after it.
/// </summary>
internal sealed unsafe class PingPong
{
    public const int MessageSize = 128;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly Crowd _crowd;
    private readonly long[] _sentAt;
    private LatencyHistogram _latency = new();
    private int _underWay;
    private string? _fault;

    private PingPong(Crowd crowd)
    {
        _crowd = crowd;
        _sentAt = new long[crowd.Count];
    }

    public static BurstResult Run(Target target, int connections, BurstLimit limit)
    {
        Opening opening = Opening.Of(target.Duty);
        PeerCounters before = target.Peers.Counters();
        using Crowd? crowd = Crowd.Open(target.Address(PeerRole.Echo), connections, out string? fault);
        fault ??= opening == Opening.None ? null : Introduction.Run(crowd!, opening);
        if (crowd is null || fault is not null)
        {
            return BurstResult.Failed(fault!);
        }

        BurstResult result = new PingPong(crowd).Measure(target, limit);
        crowd.Dispose();
        PeerCounters after = target.Peers.Await(c => c.Open == before.Open);
        return after.Errors == before.Errors ? result : result with { Fault = $"{after.Errors - before.Errors} errors at the backends" };
    }

    private BurstResult Measure(Target target, BurstLimit limit)
    {
        _crowd.Watch(Libc.EPOLLIN | Libc.EPOLLRDHUP | Libc.EPOLLET);
        Round(new BurstLimit(TimeSpan.Zero));
        _latency = new LatencyHistogram();
        long processor = target.ProcessorNanoseconds();
        long start = Stopwatch.GetTimestamp();
        Round(limit);
        return new BurstResult(
            _latency.Count, Stopwatch.GetElapsedTime(start), target.ProcessorNanoseconds() - processor, _latency, _fault);
    }

    // One message on each connection, the next after each until the limit, then until none is under way any more.
    private void Round(BurstLimit limit)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < _crowd.Count; i++)
        {
            Send(i);
        }

        bool more = true;
        long quiet = start;
        while (_underWay > 0 && _fault is null)
        {
            more = more && !limit.Reached(start, _latency.Count);
            int events = _crowd.Poll.Wait(100);
            for (int i = 0; i < events; i++)
            {
                int index = (int)_crowd.Poll.Data(i);
                if (Receive(index) && more)
                {
                    Send(index);
                }
            }

            quiet = events > 0 ? Stopwatch.GetTimestamp() : quiet;
            if (events == 0 && Stopwatch.GetElapsedTime(quiet) > Patience)
            {
                _fault = $"{_underWay} messages did not come back";
            }
        }
    }

    private void Send(int index)
    {
        long* message = stackalloc long[MessageSize / sizeof(long)];
        _sentAt[index] = Stopwatch.GetTimestamp();
        message[0] = _sentAt[index];
        message[(MessageSize / sizeof(long)) - 1] = index;
        SysResult sent = TcpSocket.Send(_crowd[index], (byte*)message, MessageSize);
        if (sent.IsError || sent.Value != MessageSize)
        {
            _fault ??= $"send: {sent}";
            return;
        }

        _underWay++;
    }

    /// <returns>False where it was no message.</returns>
    private bool Receive(int index)
    {
        long* message = stackalloc long[MessageSize / sizeof(long)];
        SysResult received = TcpSocket.Receive(_crowd[index], (byte*)message, MessageSize);
        if (received.Errno == Errno.EAGAIN)
        {
            return false;
        }

        // Nothing splits 128 bytes on loopback, where a segment holds 64 KiB.
        if (received.IsError || received.Value != MessageSize
            || message[0] != _sentAt[index] || message[(MessageSize / sizeof(long)) - 1] != index)
        {
            _fault ??= $"not the message that was sent: {received}";
            return false;
        }

        _underWay--;
        _latency.Add(Stopwatch.GetElapsedTime(_sentAt[index]).Ticks * TimeSpan.NanosecondsPerTick);
        return true;
    }
}
