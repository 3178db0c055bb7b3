using System.Globalization;
using L4Balancer.Bench.Peers;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Bench.Survive.Peers;

/// <summary>
/// Clients that come beside the thirds, so many a second: connect, a message, its checked answer, close. In a process and on a thread of
/// their own. Orders: <c>start</c>, <c>count</c>, <c>finish</c>.
/// </summary>
internal sealed class Newcomers : IDisposable
{
    private const int MessageSize = 64;

    /// <summary>Their ids lie above those of the thirds.</summary>
    private const ulong FirstId = 1UL << 40;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly EventPoll _poll = new(512);
    private readonly Orders _orders = new();
    private readonly byte[] _buffer = new byte[4096];
    private readonly Dictionary<ulong, (Talk Talk, string Client)> _open = [];
    private readonly Queue<ulong> _oldest = new();
    private readonly List<Visit> _visits = new(1 << 18);
    private readonly int[] _counts = new int[Enum.GetValues<Outcome>().Length];
    private readonly Schedule _schedule = new(TimeSpan.FromSeconds(1));
    private readonly string _folder;
    private ulong _next = FirstId;

    private Newcomers(int perSecond, string folder)
    {
        _folder = folder;
        _schedule.Resize(perSecond);
    }

    /// <param name="arguments">Connections a second, folder of the results.</param>
    public static int Run(string[] arguments)
    {
        ResourceLimits.RaiseDescriptorLimit(out _);
        using var newcomers = new Newcomers(int.Parse(arguments[0], CultureInfo.InvariantCulture), arguments[1]);
        while (newcomers.Turn())
        {
        }

        return 0;
    }

    public void Dispose() => _poll.Dispose();

    private bool Turn()
    {
        int events = _poll.Wait(_schedule.IsRunning ? 1 : 20);
        for (int i = 0; i < events; i++)
        {
            if (_open.TryGetValue(_poll.Data(i), out (Talk Talk, string Client) visit))
            {
                Ready(_poll.Data(i), visit.Talk);
            }
        }

        long now = Orders.Now;
        while (_schedule.TryTake(now, out _))
        {
            Begin();
        }

        GiveUp(now);
        return !_orders.TryTake(out string order) || Obey(order);
    }

    private bool Obey(string order)
    {
        switch (order)
        {
            case "start":
                _schedule.Start(Orders.Now);
                Orders.Answer("started");
                return true;
            case "count":
                Orders.Answer(string.Join(' ', _counts.Select(static c => c.ToString(CultureInfo.InvariantCulture))));
                return true;
            default:
                _schedule.Stop();
                while (_open.Count > 0)
                {
                    Turn();
                }

                Visit.WriteAll(Path.Combine(_folder, "visits"), _visits);
                Orders.Answer(string.Join(' ', _counts.Select(static c => c.ToString(CultureInfo.InvariantCulture))));
                return false;
        }
    }

    private void Begin()
    {
        SysResult opened = ClientSocket.Open(ScenePorts.Of(Third.Newcomers));
        if (opened.IsError)
        {
            throw new InvalidOperationException($"a client without a socket: {opened.Errno}");
        }

        var talk = new Talk(opened.Value, isClient: true) { AwaitsRoom = true, AskedAt = Orders.Now };
        talk.Introduce(new Preface(_next, MessageSize, MessageSize, Third.Newcomers, FromBackend: false));
        _open[_next] = (talk, "");
        _oldest.Enqueue(_next);
        _poll.Add(opened.Value, Libc.EPOLLOUT, _next++);
    }

    private void Ready(ulong id, Talk talk)
    {
        if (talk.AwaitsRoom)
        {
            Ask(id, talk);
            return;
        }

        SysResult read = talk.IsOpen ? talk.ReceiveOn(_buffer) : talk.ReadPreface(out _);
        if (talk.IsOpen && talk.Received == 0 && read.Value > 0)
        {
            read = talk.ReceiveOn(_buffer);
        }

        if (read.Errno == Errno.EAGAIN)
        {
            return;
        }

        if (read.IsError || read.Value == 0)
        {
            End(id, talk, read.IsError ? Outcome.Reset : Outcome.Closed);
        }
        else if (talk.Received >= MessageSize)
        {
            End(id, talk, talk.WrongAt >= 0 || talk.Received > MessageSize ? Outcome.Wrong : Outcome.Served);
        }
    }

    private unsafe void Ask(ulong id, Talk talk)
    {
        Errno error = TcpSocket.TakeError(talk.Socket);
        if (error != Errno.None)
        {
            End(id, talk, error == Errno.ECONNREFUSED ? Outcome.Refused : error == Errno.ETIMEDOUT ? Outcome.TimedOut : Outcome.Reset);
            return;
        }

        _open[id] = (talk, TcpSocket.LocalEndpoint(talk.Socket).ToString());
        byte* preface = stackalloc byte[Preface.Length];
        talk.Preface.Write(new Span<byte>(preface, Preface.Length));
        talk.Unsent = MessageSize;
        talk.AwaitsRoom = false;
        if (TcpSocket.Send(talk.Socket, preface, Preface.Length).IsError || talk.SendOn(_buffer) != Errno.None)
        {
            End(id, talk, Outcome.Reset);
            return;
        }

        _poll.Modify(talk.Socket, Libc.EPOLLIN, id);
    }

    private void GiveUp(long now)
    {
        while (_oldest.TryPeek(out ulong id))
        {
            bool isOpen = _open.TryGetValue(id, out (Talk Talk, string Client) visit);
            if (isOpen && now - visit.Talk.AskedAt < Patience.TotalNanoseconds)
            {
                return;
            }

            _oldest.Dequeue();
            if (isOpen)
            {
                End(id, visit.Talk, Outcome.TimedOut);
            }
        }
    }

    private void End(ulong id, Talk talk, Outcome outcome)
    {
        _visits.Add(new Visit(talk.AskedAt, Orders.Now, outcome, _open[id].Client));
        _counts[(int)outcome]++;
        _open.Remove(id);
        _poll.Remove(talk.Socket);
        TcpSocket.Close(talk.Socket);
    }
}
