using System.Globalization;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Bench.Survive.Peers;

/// <summary>
/// The backends of one third, in a process and on a thread of their own, on every address of 127.0.0.0/8: they answer each message with as
/// many bytes, receive bulk, or send it. Orders: <c>pace FACTOR</c>, <c>finish</c> (streams end with FIN), <c>end</c>.
/// </summary>
internal sealed class SteadyBackends : IDisposable
{
    private const int Backlog = 4096;
    private const int BufferSize = 256 * 1024;
    private const ulong ListeningTag = ulong.MaxValue;

    private readonly EventPoll _poll = new(512);
    private readonly Orders _orders = new();
    private readonly byte[] _received = new byte[BufferSize];
    private readonly byte[] _sent = new byte[BufferSize];
    private readonly Dictionary<ulong, Talk> _talks = [];
    private readonly List<Talk> _sources = [];
    private readonly List<Talk> _known = [];
    private readonly Third _third;
    private readonly string _folder;
    private readonly Schedule _schedule;
    private readonly int _listening;
    private ulong _next;
    private bool _finishing;

    private SteadyBackends(Third third, TimeSpan interval, string folder)
    {
        (_third, _folder) = (third, folder);
        _schedule = new Schedule(interval);
        _listening = Listen(ScenePorts.BackendPort(third));
        _poll.Add(_listening, Libc.EPOLLIN, ListeningTag);
    }

    /// <summary>Runs until the order to end, or the end of the standard input.</summary>
    /// <param name="arguments">Third, interval in ms, folder of the results.</param>
    public static int Run(string[] arguments)
    {
        ResourceLimits.RaiseDescriptorLimit(out _);
        var interval = TimeSpan.FromMilliseconds(int.Parse(arguments[1], CultureInfo.InvariantCulture));
        using var backends = new SteadyBackends(Enum.Parse<Third>(arguments[0]), interval, arguments[2]);
        Orders.Answer("listening");
        while (backends.Turn())
        {
        }

        return 0;
    }

    public void Dispose()
    {
        TcpSocket.Close(_listening);
        _poll.Dispose();
    }

    private static int Listen(ushort port)
    {
        int socket = TcpSocket.Open(HostAddress.Any4).Value;
        TcpSocket.SetOption(socket, Libc.SOL_SOCKET, Libc.SO_REUSEADDR, 1);
        SysResult bound = TcpSocket.Bind(socket, new Endpoint(HostAddress.Any4, port));
        return bound.IsError || TcpSocket.Listen(socket, Backlog).IsError
            ? throw new InvalidOperationException($"port {port} cannot be listened on: {bound.Errno}")
            : socket;
    }

    private bool Turn()
    {
        int events = _poll.Wait(_schedule.IsRunning ? 1 : 20);
        for (int i = 0; i < events; i++)
        {
            if (_poll.Data(i) == ListeningTag)
            {
                Accept();
            }
            else if (_talks.TryGetValue(_poll.Data(i), out Talk? talk))
            {
                Ready(talk, _poll.Data(i), _poll.Events(i));
            }
        }

        long now = Orders.Now;
        while (_schedule.TryTake(now, out int item))
        {
            Due(_sources[item]);
        }

        return !_orders.TryTake(out string order) || Obey(order);
    }

    private bool Obey(string order)
    {
        switch (order.Split(' ')[0])
        {
            case "start":
                _schedule.Start(Orders.Now);
                Orders.Answer("started");
                return true;
            case "pace":
                _schedule.Pace(double.Parse(order.Split(' ')[1], CultureInfo.InvariantCulture));
                Orders.Answer("paced");
                return true;
            case "finish":
                _finishing = true;
                _schedule.Stop();
                foreach (Talk source in _sources.Where(static s => s.Ending == Ending.None && s.Unsent == 0))
                {
                    TcpSocket.ShutdownWrite(source.Socket);
                }

                Orders.Answer("finishing");
                return true;
            default:
                TalkTable.Write(Path.Combine(_folder, $"backends-{_third}"), _known);
                Orders.Answer(TalkTable.Summary(_known));
                return false;
        }
    }

    private void Accept()
    {
        for (SysResult accepted = TcpSocket.Accept(_listening, out _); !accepted.IsError; accepted = TcpSocket.Accept(_listening, out _))
        {
            TcpSocket.SetOption(accepted.Value, Libc.IPPROTO_TCP, Libc.TCP_NODELAY, 1);
            _talks[_next] = new Talk(accepted.Value, isClient: false);
            _poll.Add(accepted.Value, Libc.EPOLLIN, _next++);
        }
    }

    private void Ready(Talk talk, ulong tag, uint events)
    {
        if ((events & Libc.EPOLLOUT) != 0 && talk.AwaitsRoom)
        {
            Send(talk, tag);
        }

        if ((events & ~Libc.EPOLLOUT) == 0 || talk.Ending != Ending.None)
        {
            return;
        }

        SysResult read = talk.IsOpen ? talk.ReceiveOn(_received) : Introduce(talk, tag);
        if (read.IsError)
        {
            if (read.Errno != Errno.EAGAIN)
            {
                End(talk, tag, Ending.Reset);
            }
        }
        else if (read.Value == 0)
        {
            End(talk, tag, _finishing ? Ending.Finished : Ending.Fin);
        }
        else if (talk.IsOpen && talk.Preface.Third != Third.Bulk && talk.Received > talk.Sent + talk.Unsent)
        {
            talk.Unsent = talk.Received - talk.Sent;
            Send(talk, tag);
        }
    }

    // A probe of the daemon ends without a preface.
    private unsafe SysResult Introduce(Talk talk, ulong tag)
    {
        SysResult read = talk.ReadPreface(out ReadOnlySpan<byte> whole);
        if (!talk.IsOpen)
        {
            return read;
        }

        if (Preface.Read(whole) is not Preface preface)
        {
            return SysResult.Error(Errno.ECONNRESET);
        }

        talk.Introduce(preface);
        fixed (byte* answer = whole)
        {
            TcpSocket.Send(talk.Socket, answer, whole.Length);
        }

        if (preface.Third != Third.Newcomers)
        {
            _known.Add(talk);
        }

        if (preface.FromBackend)
        {
            talk.Tag = tag;
            _sources.Add(talk);
            _schedule.Resize(_sources.Count);
        }

        return read;
    }

    private void Due(Talk talk)
    {
        if (talk.Ending != Ending.None)
        {
            return;
        }

        if (talk.Unsent > 0)
        {
            talk.Skipped++;
            return;
        }

        talk.Unsent = talk.Sent == 0 ? talk.Preface.First : talk.Preface.Chunk;
        Send(talk, talk.Tag);
    }

    private void Send(Talk talk, ulong tag)
    {
        Errno error = talk.SendOn(_sent);
        if (error is not (Errno.None or Errno.EAGAIN))
        {
            // The error is reported once. After EPIPE the next read says how it ended.
            if (error != Errno.EPIPE)
            {
                End(talk, tag, Ending.Reset);
            }

            return;
        }

        bool room = error == Errno.EAGAIN;
        if (room != talk.AwaitsRoom)
        {
            talk.AwaitsRoom = room;
            _poll.Modify(talk.Socket, Libc.EPOLLIN | (room ? Libc.EPOLLOUT : 0), tag);
        }

        if (_finishing && talk.Preface.FromBackend && !room)
        {
            TcpSocket.ShutdownWrite(talk.Socket);
        }
    }

    private void End(Talk talk, ulong tag, Ending ending)
    {
        talk.Ending = ending;
        talk.EndedAt = Orders.Now;
        _talks.Remove(tag);
        _poll.Remove(talk.Socket);
        TcpSocket.Close(talk.Socket);
    }
}
