using System.Runtime.Versioning;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Dns;
using L4Balancer.Engine.Linux;

namespace L4Balancer.NameServer;

/// <summary>
/// Answers over UDP, on a thread of its own: like the rest of the control plane it yields to the event loops
/// (docs/decisions/0003-nicer-control-plane.md), and when it cannot keep up, the kernel drops questions. No allocation for a question.
/// </summary>
[SupportedOSPlatform("linux")]
internal sealed class UdpAnswers
{
    /// <summary>Larger questions are cut, and with it malformed: the longest name, EDNS and its options are far smaller.</summary>
    private const int LongestQuestion = 4096;

    /// <summary>The longest wait for a question. Only if <see cref="DatagramSocket.Wake"/> failed would a stop take this long.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly DatagramSocket _socket;
    private readonly Answering _answering;
    private readonly Func<int> _rate;
    private readonly AnswerRates _rates;
    private Thread? _thread;
    private volatile bool _ends;

    /// <summary><see cref="Start"/> begins to answer.</summary>
    /// <param name="socket">Not closed here.</param>
    /// <param name="rate">Answers a second for each source, as configured now.</param>
    public UdpAnswers(DatagramSocket socket, Answering answering, Func<int> rate)
    {
        _socket = socket;
        _answering = answering;
        _rate = rate;
        _rates = new AnswerRates(answering.Seed);
    }

    public Endpoint Bound => _socket.Bound;

    public void Start()
    {
        _ends = false;
        _socket.Rest();
        _thread = new Thread(Serve) { Name = "l4b-dns", IsBackground = true };
        _thread.Start();
    }

    /// <summary>Ends behind the answer that is under way; questions stay in the queue of the socket, until <see cref="Start"/> goes on.</summary>
    public void Stop()
    {
        _ends = true;
        _socket.Wake();
        _thread?.Join();
        _thread = null;
    }

    private void Serve()
    {
        var question = new byte[LongestQuestion];
        var response = new byte[DnsAnswers.LargestUdp];
        while (!_ends)
        {
            int length = _socket.Receive(question, out Endpoint source, out HostAddress asked);
            if (length < 0)
            {
                continue;
            }

            try
            {
                int answer = Answer(question.AsSpan(0, length), source, asked, response);
                if (answer > 0)
                {
                    _socket.Reply(response.AsSpan(0, answer));
                }
            }
            catch (Exception)
            {
                // Of the log, or for lack of memory; on this thread it would end the process.
                _answering.Ignore();
            }
        }
    }

    private int Answer(ReadOnlySpan<byte> question, Endpoint source, HostAddress asked, Span<byte> response)
    {
        // Port 0 cannot be answered. Our own address is one of a forged question, whose answer would come back here.
        if (source.Port == 0 || (source.Port == Bound.Port && (source.Address == asked || source.Address == Bound.Address)))
        {
            _answering.Ignore();
            return 0;
        }

        int rate = _rate();
        switch (_rates.Decide(source.Address, rate, _answering.Now))
        {
            case RateDecision.Answer:
                return _answering.Answer(question, overTcp: false, response);
            case RateDecision.Slip:
                return _answering.Slip(question, response);
            default:
                _answering.Limit(source, rate);
                return 0;
        }
    }
}
