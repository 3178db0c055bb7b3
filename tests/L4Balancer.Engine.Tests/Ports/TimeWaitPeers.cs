using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace L4Balancer.Engine.Tests.Ports;

/// <summary>
/// The other side of <see cref="VethNamespaces"/>: backends, and clients that connect one after the other and see each connection to its
/// end. Plain threads and blocking calls: it shall cost less than the balancer.
/// </summary>
internal sealed class TimeWaitPeers(FirstCloser first, int connections, double perSecond)
{
    private const int Threads = 8;

    private static readonly IPEndPoint Balancer = new(IPAddress.Parse(VethNamespaces.Source(0)), TimeWaitBody.Port);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly ConcurrentBag<string> _failures = [];
    private readonly Lock _turns = new();
    private long _nextTurn;
    private int _begun;
    private int _served;

    /// <returns>How many connections were served; what became of the others is in <paramref name="failures"/>.</returns>
    public int Run(out IReadOnlyCollection<string> failures)
    {
        for (int i = 0; i < VethNamespaces.Backends; i++)
        {
            Serve(new IPEndPoint(IPAddress.Parse(VethNamespaces.Backend(i)), TimeWaitBody.Port));
        }

        Assert.That(SpinWait.SpinUntil(IsBalancerThere, Patience), "the balancer");
        long start = Stopwatch.GetTimestamp();
        Thread[] clients = [.. Enumerable.Range(0, Threads).Select(_ => Begin(Connect))];
        Array.ForEach(clients, c => c.Join());
        Console.Error.WriteLine($"{connections} connections in {Stopwatch.GetElapsedTime(start).TotalSeconds:F1} s, {_served} served");
        failures = _failures;
        return _served;
    }

    private static Thread Begin(Action work)
    {
        var thread = new Thread(() => work()) { IsBackground = true };
        thread.Start();
        return thread;
    }

    // Bound from an address that no client uses otherwise, and not accepted by any backend before the balancer is there.
    private static bool IsBalancerThere()
    {
        using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            probe.Connect(Balancer.Address, TimeWaitBody.ReadyPort);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private void Serve(IPEndPoint endpoint)
    {
        var listening = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listening.Bind(endpoint);
        listening.Listen(4096);
        for (int i = 0; i < Threads; i++)
        {
            Begin(() =>
            {
                byte[] one = new byte[1];
                while (true)
                {
                    using Socket accepted = listening.Accept();
                    if (first == FirstCloser.Client)
                    {
                        accepted.Receive(one, 0, 1, SocketFlags.None, out _);
                    }
                }
            });
        }
    }

    /// <summary>Evenly, and nothing is made up for after a stall, so that in any time there are no more of them than the rate says.</summary>
    private void AwaitTurn()
    {
        long turn;
        lock (_turns)
        {
            turn = Math.Max(_nextTurn, Stopwatch.GetTimestamp());
            _nextTurn = turn + (long)(Stopwatch.Frequency / perSecond);
        }

        SpinWait.SpinUntil(() => Stopwatch.GetTimestamp() >= turn);
    }

    private void Connect()
    {
        byte[] one = new byte[1];
        int number;
        while ((number = Interlocked.Increment(ref _begun)) <= connections)
        {
            if (perSecond > 0)
            {
                AwaitTurn();
            }

            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                socket.SetRawSocketOption(0, 24, BitConverter.GetBytes(1));
                socket.Bind(new IPEndPoint(IPAddress.Parse(VethNamespaces.Client(number % VethNamespaces.Clients)), 0));
                socket.Connect(Balancer);
                if (first == FirstCloser.Client)
                {
                    socket.Shutdown(SocketShutdown.Send);
                }

                socket.ReceiveTimeout = (int)Patience.TotalMilliseconds;
                socket.Receive(one);
                Interlocked.Increment(ref _served);
            }
            catch (SocketException e)
            {
                _failures.Add($"{number}: {e.SocketErrorCode}");
            }
        }
    }
}
