using System.Diagnostics;
using L4Balancer.Bench.Peers;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Bench.Packets;

/// <summary>Established connections that exchange a message now and then while something else goes on. For one thread.</summary>
internal sealed unsafe class LivingFlows : IDisposable
{
    private const int MessageSize = 128;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly Crowd _crowd;
    private readonly bool[] _lives;

    private LivingFlows(Crowd crowd)
    {
        _crowd = crowd;
        _lives = new bool[crowd.Count];
        Array.Fill(_lives, true);
        crowd.Watch(Libc.EPOLLIN);
    }

    public int Count => _lives.Length;

    public int Living => _lives.Count(static l => l);

    /// <summary>Messages that have come back.</summary>
    public long RoundTrips { get; private set; }

    /// <summary>About as many packets go each way: a message, and the acknowledgement of its answer.</summary>
    public long Packets => 2 * RoundTrips;

    /// <exception cref="InvalidOperationException">They cannot be opened.</exception>
    public static LivingFlows Open(Endpoint target, int count) =>
        new(Crowd.Open(target, count, out string? fault) ?? throw new InvalidOperationException(fault));

    /// <summary>A message on each that lives, and its answer. One whose answer does not come within two seconds lives no more.</summary>
    public void Talk()
    {
        byte* message = stackalloc byte[MessageSize];
        int[] missing = new int[Count];
        for (int i = 0; i < Count; i++)
        {
            if (_lives[i])
            {
                missing[i] = MessageSize;
                _lives[i] = TcpSocket.Send(_crowd[i], message, MessageSize).Value == MessageSize;
            }
        }

        long start = Stopwatch.GetTimestamp();
        while (Enumerable.Range(0, Count).Any(i => _lives[i] && missing[i] > 0) && Stopwatch.GetElapsedTime(start) < Patience)
        {
            int events = _crowd.Poll.Wait(100);
            for (int e = 0; e < events; e++)
            {
                int index = (int)_crowd.Poll.Data(e);
                SysResult received = TcpSocket.Receive(_crowd[index], message, MessageSize);
                if (received.Errno == Errno.EAGAIN)
                {
                    continue;
                }

                if (received.IsError || received.Value == 0)
                {
                    _lives[index] = false;
                    _crowd.Poll.Remove(_crowd[index]);
                    continue;
                }

                missing[index] -= received.Value;
            }
        }

        for (int i = 0; i < Count; i++)
        {
            _lives[i] = _lives[i] && missing[i] == 0;
            RoundTrips += _lives[i] ? 1 : 0;
        }
    }

    public void Dispose() => _crowd.Dispose();
}
