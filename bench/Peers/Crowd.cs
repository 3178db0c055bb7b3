using System.Diagnostics;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Bench.Peers;

/// <summary>Client connections through a contestant, in one epoll instance. For one thread.</summary>
internal sealed class Crowd : IDisposable
{
    private const int OpeningAtOnce = 64;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly int[] _sockets;
    private bool _disposed;

    private Crowd(int count) => _sockets = new int[count];

    /// <summary>The data of an event is the index of its connection.</summary>
    public EventPoll Poll { get; } = new(512);

    public int Count => _sockets.Length;

    public int this[int index] => _sockets[index];

    /// <summary>Opens connections, a few at a time, and waits until each is established.</summary>
    /// <returns>Null where one could not be opened; <paramref name="fault"/> says why.</returns>
    public static Crowd? Open(Endpoint target, int count, out string? fault)
    {
        var crowd = new Crowd(count);
        fault = crowd.OpenAll(target);
        if (fault is null)
        {
            return crowd;
        }

        crowd.Dispose();
        return null;
    }

    /// <summary>Watches every connection for these events, and no others.</summary>
    public void Watch(uint events)
    {
        for (int i = 0; i < _sockets.Length; i++)
        {
            Poll.Remove(_sockets[i]);
            Poll.Add(_sockets[i], events, (ulong)i);
        }
    }

    /// <summary>Closes all connections; a second time does nothing.</summary>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        foreach (int socket in _sockets.Where(s => s > 0))
        {
            TcpSocket.Close(socket);
        }

        Poll.Dispose();
    }

    private string? OpenAll(Endpoint target)
    {
        long start = Stopwatch.GetTimestamp();
        int begun = 0;
        int established = 0;
        while (established < Count)
        {
            for (; begun < Count && begun - established < OpeningAtOnce; begun++)
            {
                SysResult opened = ClientSocket.Open(target);
                if (opened.IsError)
                {
                    return $"connection {begun + 1} of {Count}: {opened.Errno}";
                }

                _sockets[begun] = opened.Value;
                Poll.Add(opened.Value, Libc.EPOLLOUT | Libc.EPOLLET, (ulong)begun);
            }

            int events = Poll.Wait(100);
            for (int i = 0; i < events; i++)
            {
                if ((Poll.Events(i) & (Libc.EPOLLERR | Libc.EPOLLHUP)) != 0)
                {
                    return $"connection {Poll.Data(i) + 1} of {Count}: {TcpSocket.TakeError(_sockets[Poll.Data(i)])}";
                }
            }

            established += events;
            if (Stopwatch.GetElapsedTime(start) > Patience)
            {
                return $"only {established} of {Count} connections within {Patience.TotalSeconds} s";
            }
        }

        return null;
    }
}
