using System.Buffers;
using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Dns;
using L4Balancer.Core.Timing;
using L4Balancer.Platform;
using L4Balancer.Web;

namespace L4Balancer.NameServer;

/// <summary>
/// Answers over TCP (RFC 7766): any number of questions on a connection, one after the other. Connections are few: when all places are
/// taken the one that has been idle for longest gives way, one network has at most a few, and each question must be complete within a short
/// time.
/// </summary>
internal sealed class TcpAnswers : IAsyncDisposable
{
    private const int MostConnections = DescriptorBudget.DnsConnections;
    private const int MostPerSource = 8;
    private const int LongestQuestion = 4096;
    private const int LengthPrefix = 2;
    private const int Backlog = 128;

    // Counted in the 16 bytes of an address, in which IPv4 begins at bit 96: the sources of [dns] rate_per_source.
    private const int PrefixV4 = 96 + 24;
    private const int PrefixV6 = 56;

    /// <summary>
    /// For a whole question from the end of the one before, and for the response to be taken (RFC 7766, 6.2.3: a few seconds).
    /// </summary>
    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan AfterFault = TimeSpan.FromMilliseconds(100);

    /// <summary>How long a pause waits for questions and answers under way.</summary>
    private static readonly TimeSpan PauseWithin = TimeSpan.FromMilliseconds(250);

    private readonly Lock _gate = new();
    private readonly HashSet<Connection> _connections = [];
    private readonly CancellationTokenSource _ends = new();
    private readonly Answering _answering;
    private readonly ControlSocket _socket;
    private readonly Task _accepting;
    private volatile bool _isPausing;

    /// <summary>Begins to answer.</summary>
    /// <param name="socket">Closed with this object, and if this throws.</param>
    /// <exception cref="SocketException">The address has been taken meanwhile.</exception>
    public TcpAnswers(ControlSocket socket, Answering answering)
    {
        _answering = answering;
        _socket = socket;
        try
        {
            socket.Listen(Backlog);
        }
        catch
        {
            socket.Dispose();
            _ends.Dispose();
            throw;
        }

        _accepting = Task.Run(AcceptAsync);
    }

    /// <summary>The address, with the port that the kernel chose.</summary>
    public Endpoint Bound => Endpoint.From((IPEndPoint)_socket.Bound);

    /// <summary>Accepts no more, and ends all connections: idle ones at once, others behind their answer or after a moment.</summary>
    public async Task PauseAsync()
    {
        await _socket.PauseAsync();
        _isPausing = true;
        await EndAsync(static c => c.IsIdle, static c => c.Finish()).WaitAsync(PauseWithin, _answering.Clock).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await EndAsync(static _ => true, static c => c.Abort());
    }

    public void Resume()
    {
        _isPausing = false;
        _socket.Resume();
    }

    public async ValueTask DisposeAsync()
    {
        await _ends.CancelAsync();
        await _accepting;
        _socket.Dispose();
        await EndAsync(static _ => false, static _ => { });
        _ends.Dispose();
    }

    /// <summary>Does something with some connections, and completes when all have ended.</summary>
    private Task EndAsync(Predicate<Connection> some, Action<Connection> act)
    {
        lock (_gate)
        {
            foreach (Connection connection in _connections.Where(c => some(c)))
            {
                act(connection);
            }

            return Task.WhenAll([.. _connections.Select(static c => c.Served)]);
        }
    }

    private async Task AcceptAsync()
    {
        while (!_ends.IsCancellationRequested)
        {
            try
            {
                await _socket.AcceptAsync(Admit, _ends.Token);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (Exception)
            {
                // Out of memory. The next one is accepted all the same.
                await Task.Delay(AfterFault, _answering.Clock, CancellationToken.None);
            }
        }
    }

    private Connection Admit(Socket client)
    {
        HostAddress source = client.RemoteEndPoint is IPEndPoint peer ? HostAddress.From(peer.Address) : default;
        source = source.Masked(source.IsV4 ? PrefixV4 : PrefixV6);
        lock (_gate)
        {
            // One that has given way stays in the set until its task has ended.
            Connection[] all = [.. _connections.Where(c => !c.IsAborted)];
            Connection[] ofSource = [.. all.Where(c => c.Source == source)];
            if (ofSource.Length >= MostPerSource || all.Length >= MostConnections)
            {
                (ofSource.Length >= MostPerSource ? ofSource : all).MinBy(c => c.IdleSince)!.Abort();
            }

            var connection = new Connection(client, source, _answering.Now);
            _connections.Add(connection);
            connection.Served = Task.Run(() => ServeAsync(connection));
            return connection;
        }
    }

    private async Task ServeAsync(Connection connection)
    {
        using var timeout = new CancellationTokenSource(Idle, _answering.Clock);
        using CancellationTokenRegistration ends = _ends.Token.Register(timeout.Cancel);
        byte[] question = ArrayPool<byte>.Shared.Rent(LongestQuestion);
        try
        {
            do
            {
                timeout.CancelAfter(Idle);
            }
            while (await AnswerNextAsync(connection, question, timeout.Token) && !_isPausing);
        }
        catch (Exception)
        {
            // The client has left, took too long, or gave way to another; or there was no memory for it.
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(question);
            connection.Abort();
            lock (_gate)
            {
                _connections.Remove(connection);
            }
        }
    }

    /// <returns>Whether another question may follow.</returns>
    private async Task<bool> AnswerNextAsync(Connection connection, byte[] question, CancellationToken timeout)
    {
        if (!await FillAsync(connection.Socket, question.AsMemory(0, LengthPrefix), timeout))
        {
            return false;
        }

        connection.IsIdle = false;
        int length = BinaryPrimitives.ReadUInt16BigEndian(question);
        if (length is 0 or > LongestQuestion || !await FillAsync(connection.Socket, question.AsMemory(0, length), timeout))
        {
            return false;
        }

        // Before the answer, so that a client that has its answer counts as one that has just asked.
        connection.IdleSince = _answering.Now;
        byte[] response = ArrayPool<byte>.Shared.Rent(LengthPrefix + DnsAnswers.LargestTcp);
        try
        {
            int answer = _answering.Answer(question.AsSpan(0, length), overTcp: true, response.AsSpan(LengthPrefix, DnsAnswers.LargestTcp));
            if (answer == 0)
            {
                return false;
            }

            BinaryPrimitives.WriteUInt16BigEndian(response, (ushort)answer);
            for (Memory<byte> rest = response.AsMemory(0, LengthPrefix + answer); !rest.IsEmpty;)
            {
                rest = rest[await connection.Socket.SendAsync(rest, timeout)..];
            }

            connection.IsIdle = true;
            return true;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(response);
        }
    }

    private static async Task<bool> FillAsync(Socket socket, Memory<byte> buffer, CancellationToken timeout)
    {
        while (!buffer.IsEmpty)
        {
            int count = await socket.ReceiveAsync(buffer, timeout);
            if (count == 0)
            {
                return false;
            }

            buffer = buffer[count..];
        }

        return true;
    }

    /// <summary>
    /// A client's connection. <see cref="IdleSince"/> is written by its own task and read under the gate; an old value does no harm.
    /// </summary>
    private sealed class Connection(Socket socket, HostAddress source, Instant now)
    {
        private long _idleSince = now.Ticks;
        private volatile bool _isAborted;
        private volatile bool _isIdle;

        public Socket Socket { get; } = socket;

        public HostAddress Source { get; } = source;

        public Task Served { get; set; } = Task.CompletedTask;

        public bool IsAborted => _isAborted;

        /// <summary>Whether it has had an answer, and has not asked again.</summary>
        public bool IsIdle
        {
            get => _isIdle;
            set => _isIdle = value;
        }

        /// <summary>The last whole question, or the accept.</summary>
        public Instant IdleSince
        {
            get => new(Volatile.Read(ref _idleSince));
            set => Volatile.Write(ref _idleSince, value.Ticks);
        }

        /// <summary>Ends the wait for a question, and the connection without a reset.</summary>
        public void Finish()
        {
            try
            {
                Socket.Shutdown(SocketShutdown.Both);
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // It has ended already.
            }
        }

        public void Abort()
        {
            _isAborted = true;
            Socket.Dispose();
        }
    }
}
