using System.Globalization;
using L4Balancer.Bench.Survive.Peers;

namespace L4Balancer.Bench.Survive;

/// <summary>The processes beside the daemon: backends and clients of each part.</summary>
internal sealed class Scene : IDisposable
{
    private const int MessageBytes = 256;
    private const int ChunkBytes = 192 * 1024;

    /// <summary>Wide enough for the receive window to grow, so that later chunks come in one piece.</summary>
    private const int FirstChunkBytes = 1024 * 1024;

    private static readonly TimeSpan MessageInterval = TimeSpan.FromMilliseconds(400);
    private static readonly TimeSpan ChunkInterval = TimeSpan.FromSeconds(2);

    public static IReadOnlyList<Third> Thirds { get; } = [Third.Messages, Third.Bulk, Third.Quiet];

    private readonly Dictionary<Third, PeerChild> _backends = [];
    private readonly Dictionary<Third, PeerChild> _clients = [];
    private readonly PeerChild _newcomers;

    public Scene(SurviveOptions options, string folder)
    {
        foreach (Third third in Enum.GetValues<Third>())
        {
            _backends[third] = new PeerChild($"backends, {third}", "survive-backends", $"{third}", Milliseconds(ChunkInterval), folder);
        }

        foreach (Third third in Thirds)
        {
            TimeSpan interval = third == Third.Bulk ? ChunkInterval : MessageInterval;
            int chunk = third == Third.Bulk ? ChunkBytes : MessageBytes;
            _clients[third] = new PeerChild(
                $"clients, {third}",
                "survive-clients", $"{third}", Text(options.OfThird), Milliseconds(interval), Text(chunk), Text(FirstChunkBytes), folder);
        }

        _newcomers = new PeerChild("newcomers", "survive-newcomers", Text(options.Rate), folder);
        foreach (PeerChild backends in _backends.Values)
        {
            backends.Answer();
        }
    }

    public IEnumerable<int> Processes => [.. _backends.Values.Concat(_clients.Values).Select(static p => p.Id), _newcomers.Id];

    /// <summary>Opens all connections of the thirds.</summary>
    /// <returns>What is wrong; null if they are open.</returns>
    public string? Open()
    {
        string[] answers = All(_clients.Values, "open");
        return answers.FirstOrDefault(static a => a != "opened");
    }

    public void Start()
    {
        All(_clients.Values, "start");
        _backends[Third.Bulk].Order("start");
        _newcomers.Order("start");
    }

    /// <summary>Messages and bulk come in intervals so many times as long as usual.</summary>
    public void Pace(double factor)
    {
        PeerChild[] paced = [_clients[Third.Messages], _clients[Third.Bulk], _backends[Third.Bulk]];
        All(paced, $"pace {factor.ToString(CultureInfo.InvariantCulture)}");
    }

    public IReadOnlyDictionary<Third, TalkCounts> Count() =>
        Thirds.ToDictionary(static t => t, t => TalkCounts.Parse(_clients[t].Order("count")));

    public VisitCounts CountVisits() => VisitCounts.Parse(_newcomers.Order("count"));

    /// <summary>
    /// Ends it all: the newcomers first, then each third is asked a last time. The processes have written their files afterwards.
    /// </summary>
    public IReadOnlyDictionary<Third, TalkCounts> Finish(out VisitCounts visits)
    {
        visits = VisitCounts.Parse(_newcomers.Order("finish"));
        foreach (PeerChild client in _clients.Values)
        {
            client.Begin("finish");
        }

        // The clients expect the ends of the streams from now on.
        Thread.Sleep(200);
        All(_backends.Values, "finish");
        var counts = Thirds.ToDictionary(static t => t, t => TalkCounts.Parse(_clients[t].Answer()));

        // What the clients sent last may still be under way.
        Thread.Sleep(500);
        All(_backends.Values, "end");
        return counts;
    }

    public void Dispose()
    {
        foreach (PeerChild child in (IEnumerable<PeerChild>)[.. _clients.Values, _newcomers, .. _backends.Values])
        {
            child.Dispose();
        }
    }

    private static string[] All(IReadOnlyCollection<PeerChild> children, string order)
    {
        foreach (PeerChild child in children)
        {
            child.Begin(order);
        }

        return [.. children.Select(static c => c.Answer())];
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Milliseconds(TimeSpan time) => Text((int)time.TotalMilliseconds);
}
