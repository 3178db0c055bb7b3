namespace L4Balancer.Discovery.Zookeeper;

/// <summary>What stands before every reply.</summary>
/// <param name="Zxid">The last transaction that this server has seen.</param>
/// <param name="Error">0, or one of the errors below.</param>
internal readonly record struct ZookeeperReplyHeader(int Xid, long Zxid, int Error)
{
    public const int NoNode = -101;
    public const int NoAuth = -102;
    public const int SessionExpired = -112;
    public const int AuthFailed = -115;

    /// <summary>Length in bytes.</summary>
    public const int Length = 16;

    /// <summary>In a few words, for operators.</summary>
    public static string TextOf(int error) => error switch
    {
        NoNode => "no such node",
        NoAuth => "this user may not read the node",
        SessionExpired => "the session has expired",
        AuthFailed => "the user and the password are not accepted",
        _ => $"ZooKeeper's error {error}",
    };
}

/// <summary>
/// Parses the frames of a server, without their length. Each answers whether the bytes are such a reply; none throws, and every length is checked
/// against what has arrived.
/// </summary>
internal static class ZookeeperReply
{
    /// <summary>The session that a server grants; a timeout of 0 or less means none.</summary>
    public static bool TryConnect(ReadOnlySpan<byte> frame, out int timeout)
    {
        var reader = new JuteReader(frame);
        int version = reader.Int();
        timeout = reader.Int();
        reader.Long();
        reader.Buffer();
        return reader.IsValid && version == 0;
    }

    public static bool TryHeader(ReadOnlySpan<byte> frame, out ZookeeperReplyHeader header)
    {
        var reader = new JuteReader(frame);
        header = new ZookeeperReplyHeader(reader.Int(), reader.Long(), reader.Int());
        return reader.IsValid;
    }

    /// <param name="body">A reply to getChildren2, after its header.</param>
    /// <param name="children">The names of the nodes as UTF-8, without their parent; none is empty or holds a slash.</param>
    public static bool TryChildren(ReadOnlySpan<byte> body, out List<byte[]> children)
    {
        var reader = new JuteReader(body);
        int count = reader.Count(sizeof(int) + 1);
        children = new List<byte[]>(count);
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> name = reader.Buffer();
            if (name.IsEmpty || name.Contains((byte)'/'))
            {
                return false;
            }

            children.Add(name.ToArray());
        }

        return TryStat(ref reader, out _) && reader.IsValid;
    }

    /// <param name="body">A reply to getData, after its header.</param>
    /// <param name="data">The value; null is empty.</param>
    /// <param name="changed">The transaction that has written the value.</param>
    public static bool TryData(ReadOnlySpan<byte> body, out ReadOnlySpan<byte> data, out long changed)
    {
        var reader = new JuteReader(body);
        data = reader.Buffer();
        return TryStat(ref reader, out changed);
    }

    /// <param name="body">An event, after its header.</param>
    /// <param name="type">-1 if it is about the session; else what has happened to the node.</param>
    public static bool TryEvent(ReadOnlySpan<byte> body, out int type)
    {
        var reader = new JuteReader(body);
        type = reader.Int();
        reader.Int();
        reader.Buffer();
        return reader.IsValid;
    }

    private static bool TryStat(ref JuteReader reader, out long changed)
    {
        reader.Long();
        changed = reader.Long();
        for (int i = 0; i < 2; i++)
        {
            reader.Long();
        }

        // Three versions, the session that owns the node, the length of its value, the number of its children.
        reader.Int();
        reader.Int();
        reader.Int();
        reader.Long();
        reader.Int();
        reader.Int();
        reader.Long();
        return reader.IsValid;
    }
}
