using System.Globalization;
using L4Balancer.Bench.Survive.Peers;

namespace L4Balancer.Bench.Survive;

/// <summary>The access log beside what the clients know: exactly one line for each connection that ended.</summary>
/// <param name="Lines">Lines of connections of the scene.</param>
/// <param name="Doubled">Ids with more than one line.</param>
/// <param name="Missing">Connections that a client had, and that have no line.</param>
/// <param name="FarFromKills">Of those the ones that did not end near a kill: when each ended, beside the event before.</param>
/// <param name="OldestMissing">How long before a kill the oldest of those near one had ended, in milliseconds.</param>
internal sealed record AccessLines(int Lines, int Expected, int Doubled, int Missing, IReadOnlyList<string> FarFromKills, double OldestMissing)
{
    /// <summary>
    /// How long before a kill a connection may have ended without a line: lines are gathered for 50 ms, and written by a thread that may
    /// have to wait for a processor. What a killed daemon had not yet connected to a backend is reset without a record of its own.
    /// </summary>
    private static readonly TimeSpan FlushInterval = TimeSpan.FromMilliseconds(200);

    /// <param name="steady">Number of connections of the thirds.</param>
    /// <param name="events">In their order.</param>
    public static AccessLines Read(string path, int steady, IReadOnlyCollection<Visit> visits, IReadOnlyCollection<SceneEvent> events)
    {
        SceneEvent[] kills = [.. events.Where(static e => e.Kind == "kill")];
        List<string> far = [];
        var ids = new HashSet<ulong>();
        var clients = new Dictionary<string, int>();
        (int lines, int doubled, int ofThirds) = (0, 0, 0);
        foreach (string line in File.ReadLines(path).Where(static l => l.Contains(" id=", StringComparison.Ordinal)))
        {
            lines++;
            doubled += ids.Add(ulong.Parse(Value(line, " id="), CultureInfo.InvariantCulture)) ? 0 : 1;
            if (Value(line, " listener=") == "newcomers")
            {
                string client = Value(line, " client=");
                clients[client] = clients.GetValueOrDefault(client) + 1;
            }
            else
            {
                ofThirds++;
            }
        }

        (int missing, int expected, double oldest) = (Math.Max(0, steady - ofThirds), steady, 0);

        // A client's address is used again, so of several visits from one the lines say only how many have one.
        foreach (IGrouping<string, Visit> own in visits.Where(static v => v.Client.Length > 0).GroupBy(static v => v.Client))
        {
            int without = Math.Max(0, own.Count() - clients.GetValueOrDefault(own.Key));
            expected += own.Count();
            missing += without;
            foreach (Visit visit in own.OrderBy(v => KillNear(v, kills) is null).Take(without))
            {
                if (KillNear(visit, kills) is { } near)
                {
                    oldest = Math.Max(oldest, (near.Begun - visit.Ended) / 1e6);
                }
                else
                {
                    far.Add(Describe(visit, events));
                }
            }
        }

        return new AccessLines(lines, expected, doubled, missing, far, oldest);
    }

    private static SceneEvent? KillNear(Visit visit, IEnumerable<SceneEvent> kills) =>
        kills.FirstOrDefault(k => visit.Ended >= k.Begun - FlushInterval.TotalNanoseconds && visit.Begun <= k.Ended);

    private static string Describe(Visit visit, IEnumerable<SceneEvent> events)
    {
        string lasted = string.Create(CultureInfo.InvariantCulture, $"{visit.Outcome}, lasted {(visit.Ended - visit.Begun) / 1e6:F1} ms, ended ");
        return lasted + (events.LastOrDefault(e => e.Begun <= visit.Ended) is SceneEvent before
            ? string.Create(CultureInfo.InvariantCulture, $"{(visit.Ended - before.Begun) / 1e6:F1} ms after the begin of an event ({before.Kind})")
            : "before the first event");
    }

    private static string Value(string line, string key)
    {
        int at = line.IndexOf(key, StringComparison.Ordinal) + key.Length;
        int end = line.IndexOf(' ', at);
        return end < 0 ? line[at..] : line[at..end];
    }
}
