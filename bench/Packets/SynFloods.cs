using System.Diagnostics;
using L4Balancer.Bench.Machine;
using L4Balancer.Bench.Peers;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Bench.Packets;

/// <summary>One flood.</summary>
/// <param name="ArrivedPerSecond">SYNs that the backends received.</param>
/// <param name="AnsweredPerSecond">What they sent: SYN-ACKs.</param>
/// <param name="NanosecondsPerSyn">CPU of the whole machine, the generator included, per SYN that arrived.</param>
/// <param name="Flows">Established through the packet listener before it; 0: none.</param>
/// <param name="Living">Of these, how many gave every answer during and after it.</param>
internal sealed record FloodResult(
    string Name, double SentPerSecond, double ArrivedPerSecond, double AnsweredPerSecond, double NanosecondsPerSyn, int Flows, int Living, double RoundTripsPerSecond);

/// <summary>
/// SYNs from random sources, straight to a backend and through the packet listener on the segment. The backends answer each by SYN cookie
/// (tcp_syncookies = 2, ip-sysctl), and so keep nothing. For both ways there is one to an address that no backend has: what it costs to get there.
/// </summary>
internal static class SynFloods
{
    private const int EstablishedFlows = 64;

    private static readonly TimeSpan Time = TimeSpan.FromSeconds(1.5);

    private static readonly (string Name, bool IsBalanced, bool IsAnswered)[] Kinds =
    [
        ("straight to a backend, which drops them", false, false),
        ("straight to a backend with SYN cookies", false, true),
        ("packet l2, to backends which drop them", true, false),
        ("packet l2, to backends with SYN cookies", true, true),
    ];

    /// <summary>In the network of the client.</summary>
    public static List<FloodResult> Measure(PacketField field, int rounds, int seed)
    {
        foreach (NetworkHost host in field.Backends)
        {
            host.Shell("echo 2 > /proc/sys/net/ipv4/tcp_syncookies");
        }

        List<FloodResult> results = [];
        (string Name, bool IsBalanced, bool IsAnswered)[] kinds = [.. Kinds.Where(k => !k.IsBalanced || field.SegmentBalancer is not null)];
        var order = new Random(seed);
        for (int round = 1; round <= rounds; round++)
        {
            Console.Write($"flood {round} of {rounds}:");
            order.Shuffle(kinds);
            foreach ((string name, bool isBalanced, bool isAnswered) in kinds)
            {
                HostAddress address = isAnswered && !isBalanced ? field.Backends[0].Address : Address(isAnswered ? "192.0.2.10" : PacketField.Nowhere);
                ulong mac = isBalanced ? field.SegmentBalancer!.Mac : field.Backends[0].Mac;
                using var generator = new SynGenerator(field.Client, mac, new Endpoint(address, PacketField.Port), order.Next());
                using LivingFlows? flows = isBalanced ? LivingFlows.Open(field.Towards(PacketField.OnSegment).Address(PeerRole.Echo), EstablishedFlows) : null;
                results.Add(Flood(field, name, generator, flows));
                Console.Write(".");
            }

            Console.WriteLine();
        }

        return [.. results.OrderBy(static r => Array.FindIndex(Kinds, k => k.Name == r.Name))];
    }

    private static FloodResult Flood(PacketField field, string name, SynGenerator generator, LivingFlows? flows)
    {
        (long received, long sent) = Count(field);
        long busy = field.Time.Nanoseconds(), taken = 0, start = Stopwatch.GetTimestamp();
        TimeSpan flooded = TimeSpan.Zero;

        // The flows talk from time to time, so that most of the time is the flood's.
        for (int turn = 0; flooded < Time; turn++)
        {
            taken += generator.SendSome();
            flooded = Stopwatch.GetElapsedTime(start);
            if (turn % 512 == 511)
            {
                flows?.Talk();
            }
        }

        busy = field.Time.Nanoseconds() - busy;
        (long receivedAfter, long sentAfter) = Count(field);
        flows?.Talk();
        double arrived = receivedAfter - received - (flows?.Packets ?? 0), answered = sentAfter - sent - (flows?.Packets ?? 0);
        return new FloodResult(
            name, taken / flooded.TotalSeconds, arrived / flooded.TotalSeconds, Math.Max(0, answered) / flooded.TotalSeconds, busy / Math.Max(1, arrived),
            flows?.Count ?? 0, flows?.Living ?? 0, (flows?.RoundTrips ?? 0) / flooded.TotalSeconds);
    }

    private static (long Received, long Sent) Count(PacketField field)
    {
        long received = 0, sent = 0;
        foreach (NetworkHost host in field.Backends)
        {
            (long its, long answers) = host.Packets();
            received += its;
            sent += answers;
        }

        return (received, sent);
    }

    private static HostAddress Address(string text) => HostAddress.TryParse(text, out HostAddress address) ? address : throw new FormatException(text);
}
