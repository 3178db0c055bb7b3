using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Epoll;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Loop;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Engine.Tests.Ports;

/// <summary>
/// The connects of an epoll engine whose clients come one after the other. After connect(2) it registers the socket or, in vain, opens
/// another one: what its only thread does in between is timed.
/// </summary>
internal sealed class EpollConnectCosts : SystemFault, IRecordSink
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly Channel<bool> _established = Channel.CreateUnbounded<bool>();
    private ThreadClock? _clock;
    private TimeSpan? _begun;
    private long _ticks;

    private ThreadClock Clock
    {
        get
        {
            if (_clock is null)
            {
                _clock = new ThreadClock();
                _clock.Begin();
            }

            return _clock;
        }
    }

    /// <returns>Microseconds of processor time of each of so many connections.</returns>
    public static async Task<double[]> FillUpAsync(int ports, RoutingSnapshot snapshot)
    {
        var costs = new EpollConnectCosts();
        var options = new EngineOptions { Clock = TimeProvider.System, Records = costs, Loggers = NullLoggerFactory.Instance, Workers = 1 };
        await using var engine = new EpollEngine(options);
        Assert.That(engine.Start(snapshot), Is.Empty);
        List<Socket> clients = [];
        var micros = new double[ports];
        Installed = costs;
        for (int i = 0; i < ports; i++)
        {
            clients.Add(Connect(i, snapshot.Listeners[0].Settings.Bind[0].ToIPEndPoint()));
            Assert.That(await costs._established.Reader.ReadAsync().AsTask().WaitAsync(Patience), Is.True, $"at port {i} of {ports}");
            micros[i] = new TimeSpan(Interlocked.Exchange(ref costs._ticks, 0)).TotalMicroseconds;
        }

        Installed = null;
        await engine.StopAsync(TimeSpan.Zero, new CancellationToken(canceled: true));
        clients.ForEach(c => c.Dispose());
        return micros;
    }

    public override Errno Before(SystemCall call, int descriptor)
    {
        if (call == SystemCall.Connect)
        {
            _begun = Clock.Total;
        }
        else if (_begun is { } begun && call is SystemCall.EpollAdd or SystemCall.Socket)
        {
            Interlocked.Add(ref _ticks, (Clock.Total - begun).Ticks);
            _begun = null;
        }

        return Errno.None;
    }

    public void Established(in ConnectionRecord record) => _established.Writer.TryWrite(record.IsEstablished);

    public void Ended(in ConnectionRecord record)
    {
        if (!record.IsEstablished)
        {
            _established.Writer.TryWrite(false);
        }
    }

    // From ports that are not of the range which the engine uses up.
    private static Socket Connect(int number, IPEndPoint listener)
    {
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        client.Bind(new IPEndPoint(IPAddress.Parse("127.0.5.1"), 20_000 + number));
        client.Connect(listener);
        return client;
    }
}
