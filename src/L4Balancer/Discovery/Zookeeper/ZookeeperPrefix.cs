using System.Globalization;
using System.Text;
using L4Balancer.Core.Config;
using L4Balancer.Core.Discovery;

namespace L4Balancer.Discovery.Zookeeper;

/// <summary>
/// Reads the children of one node with their values, and leaves a watch on each: a session that reads anew after every event misses no change.
/// One caller at a time.
/// </summary>
/// <param name="path">The node, without a slash at its end.</param>
internal sealed class ZookeeperPrefix(ZookeeperSession session, string path)
{
    /// <summary>Requests under way at a time. A server keeps at most 1,000 of all its clients (globalOutstandingLimit).</summary>
    private const int Window = 200;

    /// <summary>After so many readings during which something has changed, the last one is used; the next follows soon.</summary>
    private const int MostAttempts = 5;

    private readonly byte[] _path = Encoding.UTF8.GetBytes(path);
    private int _xid;
    private long _zxid;

    /// <summary>All children as they were at one point in time. No node, no child: an empty set.</summary>
    /// <exception cref="Exception">One of <see cref="StoreFault.IsExpected"/>.</exception>
    public async Task<SourceReading> ReadAsync(CancellationToken cancel)
    {
        for (int attempt = 1; ; attempt++)
        {
            // A server delivers the event of a watch before the reply to any request that sees the change: without an event since the list was
            // asked for, nothing has changed between the list and the last value.
            session.HasChanged = false;
            SourceReading? read = await ReadOnceAsync(cancel);
            if (read is not null && (!session.HasChanged || attempt == MostAttempts))
            {
                return read;
            }
        }
    }

    /// <returns>Null if the node has been made while it was found missing.</returns>
    private async Task<SourceReading?> ReadOnceAsync(CancellationToken cancel)
    {
        // A server that lags behind the leader would list what has gone.
        await session.SendAsync(ZookeeperRequest.Sync(++_xid, _path), cancel);
        await session.SendAsync(ZookeeperRequest.Watch(++_xid, ZookeeperOperation.GetChildren2, _path), cancel);
        Check(Header(await session.ReplyAsync(cancel), _xid - 1).Error, path);
        byte[] reply = await session.ReplyAsync(cancel);
        int error = Header(reply, _xid).Error;
        if (error == ZookeeperReplyHeader.NoNode)
        {
            return await IsMissingAsync(cancel) ? new SourceReading.Complete([], $"{Version}, there is no node {path}") : null;
        }

        Check(error, path);
        if (!ZookeeperReply.TryChildren(Body(reply), out List<byte[]> children))
        {
            throw new StoreFault("its list of nodes cannot be read");
        }

        return children.Count > Registration.Most
            ? new SourceReading.Unknown($"{children.Count} nodes are registered; at most {Registration.Most} are read")
            : Registration.Read(await ReadValuesAsync(children, cancel), Version);
    }

    private async Task<bool> IsMissingAsync(CancellationToken cancel)
    {
        await session.SendAsync(ZookeeperRequest.Watch(++_xid, ZookeeperOperation.Exists, _path), cancel);
        int error = Header(await session.ReplyAsync(cancel), _xid).Error;
        if (error == ZookeeperReplyHeader.NoNode)
        {
            return true;
        }

        Check(error, path);
        return false;
    }

    private async Task<List<Registration>> ReadValuesAsync(List<byte[]> children, CancellationToken cancel)
    {
        var all = new List<Registration>(children.Count);
        int first = _xid + 1;
        int asked = 0;
        for (int answered = 0; answered < children.Count; answered++)
        {
            for (; asked < children.Count && asked - answered < Window; asked++)
            {
                await session.SendAsync(ZookeeperRequest.Watch(++_xid, ZookeeperOperation.GetData, [.. _path, (byte)'/', .. children[asked]]), cancel);
            }

            byte[] reply = await session.ReplyAsync(cancel);
            int error = Header(reply, first + answered).Error;
            if (error == ZookeeperReplyHeader.NoNode)
            {
                // Gone since the list was read, of which there is an event.
                continue;
            }

            string node = Encoding.UTF8.GetString(children[answered]);
            Check(error, node);
            all.Add(ToRegistration(node, reply));
        }

        return all;
    }

    private static Registration ToRegistration(string node, byte[] reply)
    {
        if (!ZookeeperReply.TryData(Body(reply), out ReadOnlySpan<byte> data, out long changed))
        {
            throw new StoreFault($"its value of {Quoted.Text(node)} cannot be read");
        }

        return new Registration(node, data.ToArray(), changed);
    }

    private ZookeeperReplyHeader Header(byte[] reply, int xid)
    {
        ZookeeperReply.TryHeader(reply, out ZookeeperReplyHeader header);
        if (header.Xid != xid)
        {
            throw new StoreFault("it answers what was not asked");
        }

        _zxid = Math.Max(_zxid, header.Zxid);
        return header;
    }

    private string Version => string.Create(CultureInfo.InvariantCulture, $"zxid 0x{_zxid:x}");

    private static ReadOnlySpan<byte> Body(byte[] reply) => reply.AsSpan(ZookeeperReplyHeader.Length);

    private static void Check(int error, string node)
    {
        if (error != 0)
        {
            throw new StoreFault($"{Quoted.Text(node)}: {ZookeeperReplyHeader.TextOf(error)}");
        }
    }
}
