using System.Net.Sockets;
using System.Text;
using L4Balancer.Discovery;
using L4Balancer.Discovery.Zookeeper;

namespace L4Balancer.Tests.Discovery.Zookeeper;

/// <summary>Writes nodes, as the backends and tools of a user do. One caller at a time.</summary>
internal sealed class ZookeeperRegistrar : IAsyncDisposable
{
    private const int Create = 1;
    private const int Delete = 2;
    private const int SetData = 5;
    private const int Ephemeral = 1;
    private const int NodeExists = -110;

    private readonly ZookeeperSession _session;
    private readonly Stream _stream;
    private int _xid;

    private ZookeeperRegistrar(ZookeeperSession session, Stream stream)
    {
        _session = session;
        _stream = stream;
    }

    /// <summary>Connects; tries again until a server grants a session.</summary>
    public static async Task<ZookeeperRegistrar> OpenAsync(string server, TimeSpan? timeout = null)
    {
        using var deadline = new CancellationTokenSource(DaemonProcess.Deadline);
        while (true)
        {
            using var attempt = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token);
            attempt.CancelAfter(TimeSpan.FromSeconds(3));
            try
            {
                var client = new TcpClient();
                await client.ConnectAsync(System.Net.IPEndPoint.Parse(server), attempt.Token);
                NetworkStream stream = client.GetStream();
                return new ZookeeperRegistrar(
                    await ZookeeperSession.BeginAsync(stream, timeout ?? TimeSpan.FromSeconds(5), TimeProvider.System, attempt.Token), stream);
            }
            catch (Exception e) when (StoreFault.IsExpected(e) && !deadline.IsCancellationRequested)
            {
                await Task.Delay(50, deadline.Token);
            }
        }
    }

    /// <summary>Makes a node and all above it, or sets the value of one that is there.</summary>
    public async Task PutAsync(string path, string value, bool isEphemeral = false, (string Scheme, string Id)? owner = null)
    {
        for (int slash = path.IndexOf('/', 1); slash > 0; slash = path.IndexOf('/', slash + 1))
        {
            await CreateAsync(path[..slash], "", 0, null);
        }

        if (await CreateAsync(path, value, isEphemeral ? Ephemeral : 0, owner) == NodeExists)
        {
            await DoAsync(new JuteFrame().Int(++_xid).Int(SetData).Text(path).Text(value).Int(-1));
        }
    }

    public async Task DeleteAsync(string path) => await DoAsync(new JuteFrame().Int(++_xid).Int(Delete).Text(path).Int(-1));

    /// <summary>As after kill -9: the server learns nothing, and the session lasts for its timeout.</summary>
    public void Abandon() => _stream.Dispose();

    public ValueTask DisposeAsync() => _session.DisposeAsync();

    private async Task<int> CreateAsync(string path, string value, int flags, (string Scheme, string Id)? owner)
    {
        const int all = 31;
        (string scheme, string id) = owner ?? ("world", "anyone");
        return await AskAsync(
            new JuteFrame().Int(++_xid).Int(Create).Text(path).Buffer(Encoding.UTF8.GetBytes(value)).Int(1).Int(all).Text(scheme).Text(id).Int(flags));
    }

    private async Task DoAsync(JuteFrame frame) => Assert.That(await AskAsync(frame), Is.Zero);

    private async Task<int> AskAsync(JuteFrame frame)
    {
        using var deadline = new CancellationTokenSource(DaemonProcess.Deadline);
        await _session.SendAsync(frame.ToBytes(), deadline.Token);
        byte[] reply = await _session.ReplyAsync(deadline.Token);
        ZookeeperReply.TryHeader(reply, out ZookeeperReplyHeader header);
        Assert.That(header.Xid, Is.EqualTo(_xid));
        return header.Error;
    }
}
