using System.Diagnostics;
using L4Balancer.Bench.Peers;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Bench.Load;

/// <summary>
/// Connect, send an opening and 128 bytes, receive what comes back of them, close; so many at the same time, each followed by the next.
/// </summary>
internal sealed unsafe class Requests : IDisposable
{
    private const int MessageSize = PingPong.MessageSize;
    private const int Longest = Opening.Longest + MessageSize;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly EventPoll _poll = new(512);
    private readonly Endpoint _target;
    private readonly Opening _opening;
    private readonly int[] _sockets;
    private readonly bool[] _asked;
    private readonly byte[] _received;
    private readonly int[] _lengths;
    private readonly long[] _begunAt;
    private readonly LatencyHistogram _latency = new();
    private int _open;
    private string? _fault;

    private Requests(Endpoint target, Opening opening, int concurrency)
    {
        _target = target;
        _opening = opening;
        _received = new byte[concurrency * Longest];
        _lengths = new int[concurrency];
        _sockets = new int[concurrency];
        _asked = new bool[concurrency];
        _begunAt = new long[concurrency];
    }

    public static BurstResult Run(Target target, int concurrency, BurstLimit limit)
    {
        PeerCounters before = target.Peers.Counters();
        long processor = target.ProcessorNanoseconds();
        long start = Stopwatch.GetTimestamp();
        using var requests = new Requests(target.Address(PeerRole.Echo), Opening.Of(target.Duty), concurrency);
        requests.RunUntil(limit, start);
        TimeSpan elapsed = Stopwatch.GetElapsedTime(start);

        // Every close has gone through when the backends have seen it.
        PeerCounters after = target.Peers.Await(c => c.Open == before.Open);
        processor = target.ProcessorNanoseconds() - processor;
        long done = requests._latency.Count;
        string? fault = requests._fault
            ?? (after.Errors != before.Errors ? $"{after.Errors - before.Errors} errors at the backends"
                : after.Accepted - before.Accepted != done ? $"{done} requests, {after.Accepted - before.Accepted} at the backends"
                : after.Open != before.Open ? $"{after.Open - before.Open} connections left open at the backends"
                : null);
        return new BurstResult(done, elapsed, processor, requests._latency, fault);
    }

    public void Dispose()
    {
        foreach (int socket in _sockets.Where(s => s > 0))
        {
            TcpSocket.Close(socket);
        }

        _poll.Dispose();
    }

    private void RunUntil(BurstLimit limit, long start)
    {
        for (int i = 0; i < _sockets.Length; i++)
        {
            Begin(i);
        }

        long quiet = start;
        while (_open > 0 && _fault is null)
        {
            bool more = !limit.Reached(start, _latency.Count + _open - 1);
            int events = _poll.Wait(100);
            for (int i = 0; i < events; i++)
            {
                int index = (int)_poll.Data(i);
                if (Advance(index, _poll.Events(i)) && more)
                {
                    Begin(index);
                }
            }

            quiet = events > 0 ? Stopwatch.GetTimestamp() : quiet;
            if (events == 0 && Stopwatch.GetElapsedTime(quiet) > Patience)
            {
                _fault = $"{_open} requests had no answer";
            }
        }
    }

    private void Begin(int index)
    {
        _begunAt[index] = Stopwatch.GetTimestamp();
        SysResult opened = ClientSocket.Open(_target);
        if (opened.IsError)
        {
            _fault ??= $"connect: {opened.Errno}";
            return;
        }

        _sockets[index] = opened.Value;
        _asked[index] = false;
        _lengths[index] = 0;
        _open++;
        _poll.Add(opened.Value, Libc.EPOLLIN | Libc.EPOLLOUT | Libc.EPOLLRDHUP | Libc.EPOLLET, (ulong)index);
    }

    /// <returns>True where the request is done and closed.</returns>
    private bool Advance(int index, uint events)
    {
        int socket = _sockets[index];
        if (!_asked[index] && (events & Libc.EPOLLOUT) != 0)
        {
            Ask(index);
        }

        Span<byte> answer = _received.AsSpan(index * Longest, Longest);
        SysResult received;
        fixed (byte* target = answer)
        {
            received = TcpSocket.Receive(socket, target + _lengths[index], Longest - _lengths[index]);
        }

        if (received.Errno == Errno.EAGAIN)
        {
            return false;
        }

        _lengths[index] += received.IsError ? 0 : received.Value;
        answer = answer[.._lengths[index]];
        bool? opened = _opening.TryRead(index, answer, out int at);
        bool isPart = received.Value > 0 && (opened is null || (opened == true && answer.Length < at + MessageSize && _opening != Opening.None));
        if (isPart)
        {
            // Edge-triggered, but a read that does not fill the buffer has emptied the socket.
            return false;
        }

        if (received.IsError || opened != true || answer.Length != at + MessageSize || answer[at] != (byte)index || answer[^1] != (byte)index)
        {
            _fault ??= $"not the answer to the request: {received}";
            return false;
        }

        _latency.Add(Stopwatch.GetElapsedTime(_begunAt[index]).Ticks * TimeSpan.NanosecondsPerTick);
        TcpSocket.Close(socket);
        _sockets[index] = 0;
        _open--;
        return true;
    }

    private void Ask(int index)
    {
        byte* message = stackalloc byte[Longest];
        int length = _opening.Write(index, new Span<byte>(message, Longest)) + MessageSize;
        new Span<byte>(message + length - MessageSize, MessageSize).Fill((byte)index);
        SysResult sent = TcpSocket.Send(_sockets[index], message, length);
        _asked[index] = true;
        _fault ??= sent.Value == length ? null : $"send: {sent}";
    }
}
