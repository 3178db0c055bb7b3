namespace L4Balancer.Discovery.Zookeeper;

/// <summary>The numbers of the requests that are used here (ZooDefs.OpCode in ZooKeeper's sources).</summary>
internal enum ZookeeperOperation
{
    Exists = 3,
    GetData = 4,
    Sync = 9,
    Ping = 11,
    GetChildren2 = 12,
    Auth = 100,
    CloseSession = -11,
}

/// <summary>Requests as frames, ready to be sent.</summary>
internal static class ZookeeperRequest
{
    /// <summary>The reply to a ping has this instead of a number of its own.</summary>
    public const int PingXid = -2;

    /// <summary>The reply to the authentication.</summary>
    public const int AuthXid = -4;

    /// <summary>An event of a watch, which nobody has asked for at that moment.</summary>
    public const int EventXid = -1;

    private const int PasswordLength = 16;

    public static byte[] Ping { get; } = Header(PingXid, ZookeeperOperation.Ping).ToBytes();

    public static byte[] CloseSession { get; } = Header(0, ZookeeperOperation.CloseSession).ToBytes();

    /// <summary>The first frame of a connection: a new session, and none of a server that is read-only because it has lost the others.</summary>
    /// <param name="timeout">How long the server keeps the session without hearing of it; it answers with the one that it grants.</param>
    public static byte[] Connect(TimeSpan timeout) =>
        new JuteFrame().Int(0).Long(0).Int((int)timeout.TotalMilliseconds).Long(0).Buffer(new byte[PasswordLength]).Bool(false).ToBytes();

    /// <summary>The scheme <c>digest</c>.</summary>
    public static byte[] Authenticate(string user, string password) =>
        Header(AuthXid, ZookeeperOperation.Auth).Int(0).Text("digest").Text($"{user}:{password}").ToBytes();

    /// <summary>Whatever this server answers afterwards is at least as new as what the leader knows now.</summary>
    public static byte[] Sync(int xid, ReadOnlySpan<byte> path) => Header(xid, ZookeeperOperation.Sync).Buffer(path).ToBytes();

    /// <summary>Asks for a node, and sets a watch on it.</summary>
    public static byte[] Watch(int xid, ZookeeperOperation operation, ReadOnlySpan<byte> path) =>
        Header(xid, operation).Buffer(path).Bool(true).ToBytes();

    private static JuteFrame Header(int xid, ZookeeperOperation operation) => new JuteFrame().Int(xid).Int((int)operation);
}
