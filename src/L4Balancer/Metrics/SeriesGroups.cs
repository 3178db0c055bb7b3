namespace L4Balancer.Metrics;

/// <summary>
/// Distributes what metrics report by name over groups, each a meter of its own. The SDK reserves a fixed number of places for the
/// series of an instrument when the instrument is created, never gives a place back, and adds up what exceeds them in one series. So
/// what is new comes into the youngest group that has places, or into a new one; a group ends when its last member has left. A member
/// keeps its group, and with it the start time that OTLP and OpenMetrics publish beside a counter. One thread at a time.
/// </summary>
/// <param name="keyOf">What makes two series the same.</param>
/// <param name="createInstruments">Creates the instruments on the meter of a new group.</param>
internal sealed class SeriesGroups<T>(string meterName, Func<T, object> keyOf, Action<SeriesGroup<T>> createInstruments) : IDisposable
{
    /// <summary>Places for what reloads add one by one.</summary>
    private const int Spare = 16;

    /// <summary>A few members that stay while all others come and go would otherwise keep a meter each.</summary>
    private const int MostGroups = 16;

    private readonly List<SeriesGroup<T>> _groups = [];
    private Dictionary<object, SeriesGroup<T>> _groupOf = [];
    private int _created;

    public int Count => _groups.Count;

    /// <summary>Reports these members from now on, and no others.</summary>
    /// <returns>Whether a group has ended.</returns>
    public bool Update(IReadOnlyCollection<T> members)
    {
        _groups.ForEach(group => group.Members.Clear());
        List<T> added = Keep(members);
        int ended = _groups.RemoveAll(EndIfEmpty);
        if (_groups.Count == MostGroups && added.Count > _groups[^1].Room - _groups[^1].Taken)
        {
            Dispose();
            added = [.. members];
            ended = MostGroups;
        }

        for (int at = 0; at < added.Count; at++)
        {
            Place(added[at], RoomFor(added.Count - at, members.Count));
        }

        return ended > 0;
    }

    public void Dispose()
    {
        _groups.ForEach(group => group.Dispose());
        _groups.Clear();
        _groupOf.Clear();
    }

    // At least a quarter of all: else a fleet that grows would fill one small group after the other.
    private static int RoomFor(int added, int all) => Spare + Math.Max(added, all / 4);

    /// <returns>The members that belong to no group yet.</returns>
    private List<T> Keep(IReadOnlyCollection<T> members)
    {
        var added = new List<T>();
        var groupOf = new Dictionary<object, SeriesGroup<T>>(members.Count);
        foreach (T member in members)
        {
            object key = keyOf(member);
            if (_groupOf.TryGetValue(key, out SeriesGroup<T>? group))
            {
                group.Members.Add(member);
                groupOf.Add(key, group);
            }
            else
            {
                added.Add(member);
            }
        }

        _groupOf = groupOf;
        return added;
    }

    private static bool EndIfEmpty(SeriesGroup<T> group)
    {
        if (group.Members.Count == 0)
        {
            group.Dispose();
            return true;
        }

        return false;
    }

    private void Place(T member, int room)
    {
        SeriesGroup<T>? group = _groups.LastOrDefault();
        if (group is null || group.Taken == group.Room)
        {
            group = new SeriesGroup<T>(meterName, ++_created, room);
            _groups.Add(group);
            createInstruments(group);
        }

        group.Taken++;
        group.Members.Add(member);
        _groupOf.Add(keyOf(member), group);
    }
}
