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
internal sealed class UdpAnswers : IAsyncDisposable
{
    /// <summary>Larger questions are cut, and with it malformed: the longest name, EDNS and its options are far smaller.</summary>
    private const int LongestQuestion = 4096;

    /// <summary>Only if <see cref="DatagramSocket.Wake"/> failed would a stop take this long.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly DatagramSocket _socket;
    private readonly Answering _answering;
    private readonly Func<int> _rate;
    private readonly AnswerRates _rates;
    private readonly Thread _thread;
    private volatile bool _ends;

    /// <summary>Binds; <see cref="Start"/> begins to answer.</summary>
    /// <param name="rate">Answers a second for each source, as configured now.</param>
    /// <exception cref="System.ComponentModel.Win32Exception">The address cannot be bound.</exception>
    public UdpAnswers(Endpoint listen, Answering answering, Func<int> rate)
    {
        _socket = DatagramSocket.Bind(listen, Patience);
        _answering = answering;
        _rate = rate;
        _rates = new AnswerRates(answering.Seed);
        _thread = new Thread(Serve) { Name = "l4b-dns", IsBackground = true };
    }

    public Endpoint Bound => _socket.Bound;

    public void Start() => _thread.Start();

    /// <summary>Closes the socket of one that was not started.</summary>
    public void Discard() => _socket.Dispose();

    public ValueTask DisposeAsync()
    {
        _ends = true;
        _socket.Wake();
        _thread.Join();
        _socket.Dispose();
        return ValueTask.CompletedTask;
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
