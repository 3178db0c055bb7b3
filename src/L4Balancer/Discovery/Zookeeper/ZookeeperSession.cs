using System.Buffers.Binary;
using System.Globalization;

namespace L4Balancer.Discovery.Zookeeper;

/// <summary>
/// One connection to a ZooKeeper server and the session on it, which ends with it: nothing here outlives a connection, so there is nothing to resume.
/// Pings keep it alive, and silence ends it. One caller at a time.
/// </summary>
internal sealed class ZookeeperSession : IAsyncDisposable
{
    /// <summary>Four times what a server accepts and sends by default (jute.maxbuffer): a longer frame is no answer of ZooKeeper.</summary>
    public const int LongestFrame = 4 * 1024 * 1024;

    private static readonly TimeSpan ShortestTimeout = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan Farewell = TimeSpan.FromMilliseconds(200);

    private readonly Stream _stream;
    private readonly TimeProvider _clock;
    private readonly byte[] _buffer = new byte[16 * 1024];
    private TimeSpan _timeout;
    private int _start;
    private int _end;
    private long _heard;
    private long _sent;
    private Task<byte[]>? _receiving;

    private ZookeeperSession(Stream stream, TimeSpan timeout, TimeProvider clock)
    {
        _stream = stream;
        _timeout = timeout;
        _clock = clock;
        _heard = _sent = clock.GetTimestamp();
    }

    /// <summary>Whether an event of a watch has arrived since the caller has cleared this.</summary>
    public bool HasChanged { get; set; }

    /// <summary>Begins a session.</summary>
    /// <param name="stream">A new connection; the session disposes it, also if none is granted.</param>
    /// <param name="timeout">How long without a byte until either side takes the other for dead; the server may grant another.</param>
    /// <exception cref="Exception">One of <see cref="StoreFault.IsExpected"/>.</exception>
    public static async Task<ZookeeperSession> BeginAsync(Stream stream, TimeSpan timeout, TimeProvider clock, CancellationToken cancel)
    {
        var session = new ZookeeperSession(stream, timeout, clock);
        try
        {
            await session.SendAsync(ZookeeperRequest.Connect(timeout), cancel);
            session._receiving = session.ReceiveAsync();
            byte[] reply = await session._receiving.WaitAsync(cancel);
            session._receiving = null;
            if (!ZookeeperReply.TryConnect(reply, out int granted))
            {
                throw new StoreFault("it does not answer as ZooKeeper does");
            }

            if (granted <= 0)
            {
                throw new StoreFault("it grants no session");
            }

            session._timeout = Longer(TimeSpan.FromMilliseconds(granted), ShortestTimeout);
            return session;
        }
        catch (EndOfStreamException e)
        {
            await session.AbortAsync();
            throw new StoreFault("it closes connections without an answer: it has no quorum, or too many clients", e);
        }
        catch
        {
            await session.AbortAsync();
            throw;
        }
    }

    public async Task SendAsync(byte[] frame, CancellationToken cancel)
    {
        await _stream.WriteAsync(frame, cancel);
        _sent = _clock.GetTimestamp();
    }

    /// <summary>The next reply to a request.</summary>
    /// <exception cref="Exception">One of <see cref="StoreFault.IsExpected"/>.</exception>
    public async Task<byte[]> ReplyAsync(CancellationToken cancel) => (await NextAsync(forever: true, default, cancel))!;

    /// <summary>Waits until an event of a watch has arrived, or the time has passed.</summary>
    /// <exception cref="Exception">One of <see cref="StoreFault.IsExpected"/>.</exception>
    public async Task WaitAsync(TimeSpan atMost, CancellationToken cancel)
    {
        if (!HasChanged && await NextAsync(forever: false, atMost, cancel) is not null)
        {
            throw new StoreFault("it answers what was not asked");
        }
    }

    /// <summary>Ends the session at the server too, if it still takes a frame at once.</summary>
    public async ValueTask DisposeAsync()
    {
        using (var end = new CancellationTokenSource(Farewell, _clock))
        {
            try
            {
                await _stream.WriteAsync(ZookeeperRequest.CloseSession, end.Token);
            }
            catch (Exception e) when (StoreFault.IsExpected(e) || e is InvalidOperationException or NotSupportedException)
            {
                // It is gone, or in the middle of another write: the server ends the session by its timeout.
            }
        }

        await AbortAsync();
    }

    private async ValueTask AbortAsync()
    {
        await _stream.DisposeAsync();
        if (_receiving is Task receiving)
        {
            await receiving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <returns>Null if the time has passed, or an event has arrived while the caller does not wait forever.</returns>
    private async Task<byte[]?> NextAsync(bool forever, TimeSpan atMost, CancellationToken cancel)
    {
        long began = _clock.GetTimestamp();
        while (true)
        {
            cancel.ThrowIfCancellationRequested();
            _receiving ??= ReceiveAsync();
            if (!_receiving.IsCompleted)
            {
                TimeSpan left = forever ? TimeSpan.MaxValue : atMost - _clock.GetElapsedTime(began);
                if (left <= TimeSpan.Zero)
                {
                    return null;
                }

                await ListenAsync(left, cancel);
                continue;
            }

            byte[] frame = await _receiving;
            _receiving = null;
            if (!ZookeeperReply.TryHeader(frame, out ZookeeperReplyHeader header))
            {
                throw new StoreFault("it answers what is not a reply");
            }

            if (header.Xid == ZookeeperRequest.EventXid)
            {
                TakeEvent(frame);
                if (!forever && HasChanged)
                {
                    return null;
                }
            }
            else if (header.Xid != ZookeeperRequest.PingXid)
            {
                return frame;
            }
        }
    }

    /// <summary>Waits for the frame that is being received, at most until something is due; pings, and finds out that nobody is there.</summary>
    private async Task ListenAsync(TimeSpan atMost, CancellationToken cancel)
    {
        // As ZooKeeper's own clients do: the server is given a third of the timeout to answer a ping, and there is time for another server.
        TimeSpan untilDead = (_timeout * 2 / 3) - _clock.GetElapsedTime(_heard);
        if (untilDead <= TimeSpan.Zero)
        {
            throw new StoreFault(string.Create(CultureInfo.InvariantCulture, $"no byte from it for {(_timeout * 2 / 3).TotalSeconds:0.#} s"));
        }

        TimeSpan untilPing = (_timeout / 3) - _clock.GetElapsedTime(_sent);
        if (untilPing <= TimeSpan.Zero)
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            limit.CancelAfter(untilDead);
            await SendAsync(ZookeeperRequest.Ping, limit.Token);
            return;
        }

        using var heard = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        Task pause = Task.Delay(Shorter(atMost, Shorter(untilDead, untilPing)), _clock, heard.Token);
        await Task.WhenAny(_receiving!, pause);
        await heard.CancelAsync();
    }

    private void TakeEvent(byte[] frame)
    {
        if (!ZookeeperReply.TryEvent(frame.AsSpan(ZookeeperReplyHeader.Length), out int type))
        {
            throw new StoreFault("it sends what is not an event");
        }

        // What concerns the session and not a node (type -1) ends the connection, or needs nothing.
        HasChanged |= type >= 0;
    }

    private async Task<byte[]> ReceiveAsync()
    {
        var prefix = new byte[sizeof(int)];
        await FillAsync(prefix);
        int length = BinaryPrimitives.ReadInt32BigEndian(prefix);
        if (length is <= 0 or > LongestFrame)
        {
            throw new StoreFault("it answers what is not a frame of ZooKeeper");
        }

        var frame = new byte[length];
        await FillAsync(frame);
        return frame;
    }

    private async ValueTask FillAsync(Memory<byte> target)
    {
        while (!target.IsEmpty)
        {
            if (_start == _end)
            {
                // A long frame is read to where it belongs.
                bool isLong = target.Length >= _buffer.Length;
                int count = await _stream.ReadAsync(isLong ? target : _buffer, CancellationToken.None);
                if (count == 0)
                {
                    throw new EndOfStreamException();
                }

                _heard = _clock.GetTimestamp();
                if (isLong)
                {
                    target = target[count..];
                    continue;
                }

                (_start, _end) = (0, count);
            }

            int taken = Math.Min(target.Length, _end - _start);
            _buffer.AsMemory(_start, taken).CopyTo(target);
            _start += taken;
            target = target[taken..];
        }
    }

    private static TimeSpan Shorter(TimeSpan one, TimeSpan other) => one < other ? one : other;

    private static TimeSpan Longer(TimeSpan one, TimeSpan other) => one > other ? one : other;
}
