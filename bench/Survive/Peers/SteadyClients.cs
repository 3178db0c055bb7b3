using System.Globalization;
using L4Balancer.Bench.Peers;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Bench.Survive.Peers;

/// <summary>
/// The clients of one third, in a process and on a thread of their own. Orders: <c>open</c>, <c>start</c>, <c>pace FACTOR</c>,
/// <c>count</c>, <c>finish</c>; each is answered by a line.
/// </summary>
internal sealed class SteadyClients : IDisposable
{
    private const int OpeningAtOnce = 64;
    private const int BufferSize = 256 * 1024;

    private static readonly TimeSpan OpeningPatience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan FinishingPatience = TimeSpan.FromSeconds(20);

    private readonly EventPoll _poll = new(512);
    private readonly Orders _orders = new();
    private readonly byte[] _buffer = new byte[BufferSize];
    private readonly Talk[] _talks;
    private readonly Third _third;
    private readonly int _chunk;
    private readonly int _first;
    private readonly string _folder;
    private readonly Schedule _schedule;
    private readonly Latencies _latencies = new();
    private int _begun;
    private int _open;
    private int _living;
    private string? _fault;
    private bool _finishing;

    private SteadyClients(Third third, int count, TimeSpan interval, int chunk, int first, string folder)
    {
        (_third, _chunk, _first, _folder) = (third, chunk, first, folder);
        _talks = new Talk[count];
        _schedule = new Schedule(interval);
        _schedule.Resize(third == Third.Quiet ? 0 : count);
    }

    /// <summary>Runs until the order to finish, or the end of the standard input.</summary>
    /// <param name="arguments">Third, connections, interval in ms, bytes of a chunk and of the first one, folder of the results.</param>
    public static int Run(string[] arguments)
    {
        ResourceLimits.RaiseDescriptorLimit(out _);
        int[] numbers = [.. arguments[1..5].Select(static a => int.Parse(a, CultureInfo.InvariantCulture))];
        using var clients = new SteadyClients(
            Enum.Parse<Third>(arguments[0]), numbers[0], TimeSpan.FromMilliseconds(numbers[1]), numbers[2], numbers[3], arguments[5]);
        while (clients.Turn())
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
            Ready(_talks[_poll.Data(i)], (int)_poll.Data(i), _poll.Events(i));
        }

        long now = Orders.Now;
        while (_schedule.TryTake(now, out int item))
        {
            Due(_talks[item], item);
        }

        return !_orders.TryTake(out string order) || Obey(order);
    }

    private bool Obey(string order)
    {
        switch (order.Split(' ')[0])
        {
            case "open":
                OpenAll();
                Orders.Answer(_fault ?? "opened");
                return true;
            case "start":
                _schedule.Start(Orders.Now);
                Orders.Answer("started");
                return true;
            case "pace":
                _schedule.Pace(double.Parse(order.Split(' ')[1], CultureInfo.InvariantCulture));
                Orders.Answer("paced");
                return true;
            case "count":
                Orders.Answer(TalkTable.Summary(_talks));
                return true;
            default:
                Finish();
                TalkTable.Write(Path.Combine(_folder, $"clients-{_third}"), _talks);
                _latencies.Write(Path.Combine(_folder, $"latencies-{_third}"));
                Orders.Answer(TalkTable.Summary(_talks));
                return false;
        }
    }

    private void OpenAll()
    {
        long end = Orders.Now + (long)OpeningPatience.TotalNanoseconds;
        while (_open < _talks.Length && _fault is null)
        {
            for (; _begun < _talks.Length && _begun - _open < OpeningAtOnce; _begun++)
            {
                Begin(_begun);
            }

            int events = _poll.Wait(100);
            for (int i = 0; i < events; i++)
            {
                Ready(_talks[_poll.Data(i)], (int)_poll.Data(i), _poll.Events(i));
            }

            _fault ??= Orders.Now > end ? $"{_third}: only {_open} of {_talks.Length} connections are open" : null;
        }
    }

    private void Begin(int index)
    {
        SysResult opened = ClientSocket.Open(ScenePorts.Of(_third));
        if (opened.IsError)
        {
            _fault ??= $"{_third}: connection {index + 1}: {opened.Errno}";
            return;
        }

        var talk = new Talk(opened.Value, isClient: true) { AwaitsRoom = true };
        ulong id = ((ulong)_third << 32) | (uint)index;
        talk.Introduce(new Preface(id, _chunk, _first, _third, FromBackend: _third == Third.Bulk && index % 2 == 1));
        _talks[index] = talk;
        _living++;
        _poll.Add(opened.Value, Libc.EPOLLOUT, (ulong)index);
    }

    private void Ready(Talk talk, int index, uint events)
    {
        if (talk.Ending != Ending.None)
        {
            return;
        }

        if (!talk.IsOpen)
        {
            Introduce(talk, index, events);
            return;
        }

        if ((events & Libc.EPOLLOUT) != 0 && talk.AwaitsRoom)
        {
            Send(talk, index);
        }

        if ((events & ~Libc.EPOLLOUT) == 0 || talk.Ending != Ending.None)
        {
            return;
        }

        SysResult read = talk.ReceiveOn(_buffer);
        if (read.IsError)
        {
            if (read.Errno != Errno.EAGAIN)
            {
                End(talk, Ending.Reset);
            }
        }
        else if (read.Value == 0)
        {
            End(talk, _finishing && _third == Third.Bulk ? Ending.Finished : Ending.Fin);
        }
        else if (talk.AskedAt != 0 && talk.Received >= talk.AnsweredAt)
        {
            _latencies.Add(talk.AskedAt, Orders.Now);
            talk.AskedAt = 0;
        }
    }

    private unsafe void Introduce(Talk talk, int index, uint events)
    {
        if (talk.AwaitsRoom)
        {
            Errno error = TcpSocket.TakeError(talk.Socket);
            byte* preface = stackalloc byte[Preface.Length];
            talk.Preface.Write(new Span<byte>(preface, Preface.Length));
            if (error != Errno.None || TcpSocket.Send(talk.Socket, preface, Preface.Length).Value != Preface.Length)
            {
                _fault ??= $"{_third}: connect: {error}";
                return;
            }

            Watch(talk, index, room: false);
            return;
        }

        SysResult read = talk.ReadPreface(out ReadOnlySpan<byte> whole);
        if ((read.IsError && read.Errno != Errno.EAGAIN) || (!read.IsError && read.Value == 0))
        {
            _fault ??= $"{_third}: connection {index + 1} ended before it was open: {read}, events {events}";
        }
        else if (talk.IsOpen)
        {
            _fault ??= Preface.Read(whole) == talk.Preface ? null : $"{_third}: connection {index + 1} has the answer of another";
            _open++;
        }
    }

    private void Due(Talk talk, int index)
    {
        if (talk.Ending != Ending.None || (_third == Third.Bulk && talk.Preface.FromBackend))
        {
            return;
        }

        if (talk.Unsent > 0 || talk.AskedAt != 0)
        {
            talk.Skipped++;
            return;
        }

        if (_third == Third.Bulk)
        {
            talk.Unsent = talk.Sent == 0 ? _first : _chunk;
            Send(talk, index);
        }
        else
        {
            Ask(talk, index);
        }
    }

    private void Ask(Talk talk, int index)
    {
        talk.Unsent = _chunk;
        talk.AnsweredAt = talk.Received + _chunk;
        talk.AskedAt = Orders.Now;
        Send(talk, index);
    }

    private void Send(Talk talk, int index)
    {
        Errno error = talk.SendOn(_buffer);
        if (error is not (Errno.None or Errno.EAGAIN))
        {
            // The error is reported once. After EPIPE the next read says how it ended.
            if (error != Errno.EPIPE)
            {
                End(talk, Ending.Reset);
            }

            return;
        }

        if (error == Errno.EAGAIN != talk.AwaitsRoom)
        {
            Watch(talk, index, room: error == Errno.EAGAIN);
        }
    }

    private void Watch(Talk talk, int index, bool room)
    {
        talk.AwaitsRoom = room;
        _poll.Modify(talk.Socket, Libc.EPOLLIN | (room ? Libc.EPOLLOUT : 0), (ulong)index);
    }

    private void End(Talk talk, Ending ending)
    {
        talk.Ending = ending;
        talk.EndedAt = Orders.Now;
        _poll.Remove(talk.Socket);
        TcpSocket.Close(talk.Socket);
        _living--;
    }

    // Messages and quiet connections are asked once more and must answer; streams of the clients end with FIN, those of the backends end
    // there.
    private void Finish()
    {
        _schedule.Stop();
        long end = Orders.Now + (long)FinishingPatience.TotalNanoseconds;
        bool asked = false;
        var ended = new bool[_talks.Length];
        _finishing = true;
        while (_living > 0 && Orders.Now < end)
        {
            Turn();
            if (_third == Third.Bulk)
            {
                EndStreams(ended);
            }
            else if (_talks.All(static t => t.Ending != Ending.None || t.AskedAt == 0))
            {
                foreach ((int index, Talk talk) in _talks.Index().Where(static t => t.Item.Ending == Ending.None))
                {
                    if (asked)
                    {
                        End(talk, Ending.Finished);
                    }
                    else
                    {
                        Ask(talk, index);
                    }
                }

                asked = true;
            }
        }

        foreach (Talk talk in _talks.Where(static t => t.Ending == Ending.None))
        {
            End(talk, Ending.Silent);
        }
    }

    private void EndStreams(bool[] ended)
    {
        for (int i = 0; i < _talks.Length; i++)
        {
            if (!ended[i] && _talks[i].Ending == Ending.None && !_talks[i].Preface.FromBackend && _talks[i].Unsent == 0)
            {
                TcpSocket.ShutdownWrite(_talks[i].Socket);
                ended[i] = true;
            }
        }
    }
}
