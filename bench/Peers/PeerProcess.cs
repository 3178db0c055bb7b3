using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using L4Balancer.Bench.Machine;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Bench.Peers;

/// <summary>The backends in a child process, and the connection over which they report their counts.</summary>
internal sealed class PeerProcess : IDisposable
{
    /// <summary>Several addresses, so that a balancer does not run out of ports towards them.</summary>
    public const int Backends = 8;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly Process _process;
    private readonly Socket _control = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

    private PeerProcess(Process process, ushort basePort)
    {
        _process = process;
        BasePort = basePort;
    }

    public ushort BasePort { get; }

    public int ProcessId => _process.Id;

    /// <param name="holders">As in <see cref="PeerServer.Run"/>.</param>
    public static PeerProcess Start(ushort basePort, Processors processors, params IReadOnlyList<int> holders)
    {
        string port = basePort.ToString(CultureInfo.InvariantCulture);
        var peers = new PeerProcess(Pinned.Start([.. OwnCommand.Line, "peers", "--port", port, .. holders.SelectMany(static h => new[] { "--in", h.ToString(CultureInfo.InvariantCulture) })], processors.Server), basePort);
        var control = new IPEndPoint(IPAddress.Loopback, basePort + (int)PeerRole.Control);
        long start = Stopwatch.GetTimestamp();
        while (!ListeningPorts.All([control.Port]))
        {
            if (peers._process.HasExited || Stopwatch.GetElapsedTime(start) > Patience)
            {
                peers.Dispose();
                throw new InvalidOperationException($"the backends did not start on port {basePort} and the three above it");
            }

            Thread.Sleep(10);
        }

        peers._control.Connect(control);
        return peers;
    }

    /// <summary>The address of one of the backends, from 127.0.0.2 on.</summary>
    public static HostAddress Address(int backend) => HostAddress.FromV4(0x7F00_0002 + (uint)backend);

    public PeerCounters Counters() => Ask(PeerServer.AskCounters);

    /// <summary>Every source sends its FIN.</summary>
    public PeerCounters StopSources() => Ask(PeerServer.StopSources);

    /// <summary>Asks until the answer is as expected, or patience ends: what a balancer still holds has to arrive first.</summary>
    public PeerCounters Await(Predicate<PeerCounters> expected)
    {
        long start = Stopwatch.GetTimestamp();
        PeerCounters counters = Counters();
        while (!expected(counters) && Stopwatch.GetElapsedTime(start) < Patience)
        {
            Thread.Sleep(1);
            counters = Counters();
        }

        return counters;
    }

    public void Dispose()
    {
        _control.Dispose();
        if (!_process.WaitForExit(Patience))
        {
            _process.Kill();
        }

        _process.Dispose();
    }

    private PeerCounters Ask(byte request)
    {
        _control.Send([request]);
        PeerCounters counters = default;
        Span<byte> answer = MemoryMarshal.AsBytes(new Span<PeerCounters>(ref counters));
        for (int got = 0; got < answer.Length;)
        {
            int count = _control.Receive(answer[got..]);
            got += count > 0 ? count : throw new InvalidOperationException("the backends are gone");
        }

        return counters;
    }
}
