using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.Versioning;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Loop;
using L4Balancer.Engine.Tests.Contract;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Epoll;

/// <summary>What thousands of clients that send a byte a second cost the others.</summary>
[SupportedOSPlatform("linux")]
internal sealed class DawdlerLatencyTests() : EpollFixture(workers: 1)
{
    private const int Dawdlers = 5000;
    private const int Rounds = 3;

    private static readonly TimeSpan Measured = TimeSpan.FromSeconds(6);
    private static readonly TimeSpan InspectTimeout = TimeSpan.FromSeconds(15);
    private readonly List<int> _dawdlers = new(Dawdlers);

    [TearDown]
    public void Close_the_dawdlers() => _dawdlers.ForEach(TcpSocket.Close);

    [Test]
    [Explicit("It measures for two minutes, on a machine that does nothing else.")]
    public async Task Ping_pong_of_others_is_as_fast_as_without_them()
    {
        ResourceLimits.RaiseDescriptorLimit(out long descriptors);
        if (descriptors < (2 * Dawdlers) + 1000)
        {
            Assert.Ignore($"{descriptors} descriptors are too few.");
        }

        TestBackend backend = Backend();
        backend.ServeEcho();
        ListenerSettings open = Settings.Listener("127.0.0.1:0");
        Rig rig = Start(new BalancerConfig
        {
            Listeners = [open, open with { Name = "inspecting", Inspect = InspectKind.Http, InspectTimeout = InspectTimeout }],
            Pools = [Settings.Pool(backend)],
        });
        Core.Addressing.Endpoint inspecting = rig.Engine.Bound[1];
        ListenerState dawdled = rig.Snapshot.Listeners[1].State;
        ThreadClock cpu = WorkersOf(rig)[0].Clock;
        await PingAsync(rig, TimeSpan.FromSeconds(2));
        double best = double.MaxValue;
        for (int round = 1; round <= Rounds; round++)
        {
            TimeSpan idle = cpu.Total;
            (double alone, _) = await PingAsync(rig, Measured);
            TimeSpan used = cpu.Total - idle;
            using var stop = new CancellationTokenSource();
            await ArriveAsync(inspecting, dawdled, round);
            Task sending = Task.Run(() => DawdleAsync(stop.Token));
            TimeSpan start = cpu.Total;
            (double beside, int count) = await PingAsync(rig, Measured);
            TimeSpan usedBeside = cpu.Total - start;
            Assert.That(dawdled.Pending, Is.EqualTo(Dawdlers), "they still wait");
            await Patience.Until(
                () => dawdled.Refused[CloseReason.InspectTimeout] == round * Dawdlers, "each is refused", TimeSpan.FromSeconds(30));
            await stop.CancelAsync();
            await sending;
            _dawdlers.ForEach(TcpSocket.Close);
            _dawdlers.Clear();
            best = Math.Min(best, beside / alone);
            TestContext.Out.WriteLine(
                $"p99 {alone:F0} us alone, {beside:F0} us beside {Dawdlers} dawdlers ({count} messages): {beside / alone:F2}; "
                + $"the event loop used {used.TotalMilliseconds:F0} ms and {usedBeside.TotalMilliseconds:F0} ms of {Measured.TotalSeconds} s");
        }

        Assert.That(best, Is.LessThanOrEqualTo(1.2));
    }

    /// <returns>The 99th percentile of a message there and back, in microseconds, and the number of messages.</returns>
    private static Task<(double Micros, int Count)> PingAsync(Rig rig, TimeSpan time) => Task.Factory.StartNew(
        () =>
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveTimeout = 15_000 };
            socket.Connect(rig.Address.ToIPEndPoint());
            byte[] message = new byte[64];
            List<double> times = new(1_000_000);
            for (long begin = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(begin) < time;)
            {
                long start = Stopwatch.GetTimestamp();
                socket.Send(message);
                for (int received = 0; received < message.Length;)
                {
                    received += socket.Receive(message, received, message.Length - received, SocketFlags.None);
                }

                times.Add(Stopwatch.GetElapsedTime(start).TotalMicroseconds);
            }

            times.Sort();
            return (times[(int)(times.Count * 0.99)], times.Count);
        },
        CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private async Task ArriveAsync(Core.Addressing.Endpoint address, ListenerState listener, int round)
    {
        for (int i = 1; i <= Dawdlers; i++)
        {
            int socket = TcpSocket.Open(address).Value;
            _dawdlers.Add(socket);
            TcpSocket.Connect(socket, address);
            if (i % 500 == 0)
            {
                int expected = ((round - 1) * Dawdlers) + i;
                await Patience.Until(() => listener.Accepted == expected, "all are accepted");
            }
        }
    }

    // A byte a second from each, evenly spread over the second.
    private async Task DawdleAsync(CancellationToken stop)
    {
        const int slices = 50;
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1.0 / slices));
        for (int slice = 0; !stop.IsCancellationRequested; slice = (slice + 1) % slices)
        {
            await timer.WaitForNextTickAsync(CancellationToken.None);
            SendOne(slice, slices);
        }
    }

    private unsafe void SendOne(int slice, int slices)
    {
        byte letter = (byte)'G';
        for (int i = slice; i < _dawdlers.Count; i += slices)
        {
            TcpSocket.Send(_dawdlers[i], &letter, 1);
        }
    }
}
