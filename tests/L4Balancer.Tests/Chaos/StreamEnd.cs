using System.Buffers;
using System.Net.Sockets;
using System.Threading.Channels;

namespace L4Balancer.Tests.Chaos;

/// <summary>
/// One end of a connection: sends and receives at the same time as its plan says, and checks every byte. The counts are final once
/// <see cref="RunAsync"/> has ended. <see cref="Reset"/> may be called by any thread.
/// </summary>
internal sealed class StreamEnd(Socket socket, EndPlan plan, ByteStream own, ByteStream peers, Random random)
{
    private const int MostRead = 64 * 1024;
    private const int SlowRead = 4096;
    private static readonly TimeSpan SlowPause = TimeSpan.FromMilliseconds(5);

    // Holds one signal: something has come, or the end.
    private readonly Channel<bool> _progress = Channel.CreateBounded<bool>(1);
    private volatile bool _isOver;
    private volatile bool _peerEnded;
    private int _reset;
    private long _received;

    /// <summary>Awaited before each read and write; a frozen backend stands still there.</summary>
    public Func<Task> Gate { get; init; } = static () => Task.CompletedTask;

    /// <summary>Bytes that were handed to the kernel for certain.</summary>
    public long Sent { get; private set; }

    /// <summary>Bytes that may have been handed to the kernel: those of a write that failed included.</summary>
    public long Offered { get; private set; }

    /// <summary>Bytes that came, all of them right.</summary>
    public long Received
    {
        get => _received;
        init => _received = value;
    }

    /// <summary>The peer's FIN came, behind all of its bytes, and no reset.</summary>
    public bool SawFin => _peerEnded && SendError is null && ReceiveError is null;

    public bool SentFin { get; private set; }

    /// <summary>This end reset the connection, or closed it so that the kernel may.</summary>
    public bool MayHaveReset => Volatile.Read(ref _reset) != 0 || plan.ClosesAtOnce;

    /// <summary>The time for the whole connection has passed.</summary>
    public bool IsStuck { get; private set; }

    public SocketError? SendError { get; private set; }

    public SocketError? ReceiveError { get; private set; }

    /// <summary>What is wrong with the bytes that came; null if nothing is.</summary>
    public string? Wrong { get; private set; }

    /// <summary>Everything happened as planned.</summary>
    public bool IsComplete =>
        SawFin && SentFin && Sent == plan.Sends && Received == plan.Expects && !MayHaveReset && Wrong is null && !IsStuck;

    /// <param name="deadline">When it is cancelled, the connection is stuck.</param>
    public async Task RunAsync(CancellationToken deadline)
    {
        if (plan.ResetsAfter == 0)
        {
            Reset();
            return;
        }

        if (plan.ClosesAtOnce)
        {
            socket.Close();
            SentFin = true;
            return;
        }

        await Task.WhenAll(
            GuardAsync(SendAllAsync(deadline), e => SendError = e), GuardAsync(ReceiveAllAsync(deadline), e => ReceiveError = e));
        socket.Dispose();
    }

    /// <summary>Closes the socket so that the peer receives a reset. Any thread, any number of times.</summary>
    public void Reset()
    {
        Volatile.Write(ref _reset, 1);
        _isOver = true;
        try
        {
            socket.LingerState = new LingerOption(true, 0);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // It is over already.
        }

        socket.Dispose();
    }

    public override string ToString() =>
        $"sent {Sent} of {plan.Sends}, received {Received} of {plan.Expects}"
        + (SentFin ? ", FIN sent" : "") + (SawFin ? ", FIN received" : "") + (MayHaveReset ? ", reset here" : "")
        + (SendError is null ? "" : $", send: {SendError}") + (ReceiveError is null ? "" : $", receive: {ReceiveError}");

    private async Task GuardAsync(Task loop, Action<SocketError> failed)
    {
        try
        {
            await loop;
        }
        catch (SocketException e)
        {
            failed(e.SocketErrorCode);
            _isOver = true;
        }
        catch (ObjectDisposedException)
        {
            _isOver = true;
        }
        catch (OperationCanceledException)
        {
            IsStuck = true;
            Reset();
        }

        Pulse();
    }

    private async Task SendAllAsync(CancellationToken deadline)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(plan.Chunk);
        try
        {
            while (true)
            {
                await Gate();
                bool isCut = _peerEnded && Received < plan.Expects;
                if (_isOver || isCut)
                {
                    break;
                }

                int next = (int)Math.Min(random.Next(1, plan.Chunk + 1), Allowed() - Sent);
                if (next > 0)
                {
                    await SendAsync(buffer.AsMemory(0, next), deadline);
                }
                else if (Sent == plan.Sends && MayFinish())
                {
                    break;
                }
                else
                {
                    await _progress.Reader.ReadAsync(deadline);
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        if (!_isOver)
        {
            await Task.Delay(plan.Hold, deadline);
            socket.Shutdown(SocketShutdown.Send);
            SentFin = true;
        }
    }

    private async Task SendAsync(Memory<byte> bytes, CancellationToken deadline)
    {
        if (plan.Pause > TimeSpan.Zero)
        {
            await Task.Delay(random.Next((int)plan.Pause.TotalMilliseconds + 1), deadline);
        }

        own.Fill(Sent, bytes.Span);
        Offered = Sent + bytes.Length;
        Sent += await socket.SendAsync(bytes, deadline);
        ResetIfDue();
    }

    // Of ping-pong: the leader is one round ahead of what has come back, the follower sends back whole rounds.
    private long Allowed()
    {
        if (plan.Round > 0)
        {
            long rounds = (Received / plan.Round) + (plan.Leads ? 1 : 0);
            return Math.Min(plan.Sends, rounds * plan.Round);
        }

        return plan.StartsAfterPeer && !_peerEnded ? 0 : plan.Sends;
    }

    private bool MayFinish() => plan.Finish switch
    {
        Finish.WhenSent => true,
        Finish.WhenAnswered => Received >= plan.Expects,
        _ => _peerEnded,
    };

    private async Task ReceiveAllAsync(CancellationToken deadline)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(MostRead);
        byte[] scratch = ArrayPool<byte>.Shared.Rent(MostRead);
        try
        {
            if (plan.IsDeaf)
            {
                await Task.Delay(plan.Hold, deadline);
            }

            while (!_isOver)
            {
                await Gate();
                int most = MostRead;
                if (Received < plan.SlowBytes)
                {
                    most = SlowRead;
                    await Task.Delay(SlowPause, deadline);
                }

                int count = await socket.ReceiveAsync(buffer.AsMemory(0, most), deadline);
                if (count == 0)
                {
                    _peerEnded = true;
                    return;
                }

                Check(buffer.AsSpan(0, count), scratch);
                Pulse();
                ResetIfDue();
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
            ArrayPool<byte>.Shared.Return(scratch);
        }
    }

    private void Check(ReadOnlySpan<byte> bytes, byte[] scratch)
    {
        Wrong ??= peers.WhatDiffers(Received, bytes, scratch)
            ?? (Received + bytes.Length > plan.Expects ? $"{Received + bytes.Length} bytes came where only {plan.Expects} are sent" : null);
        Interlocked.Add(ref _received, bytes.Length);
        if (Wrong is not null)
        {
            // What follows would be wrong as well, and the peer may wait for bytes that are missing.
            Reset();
        }
    }

    private void ResetIfDue()
    {
        if (Sent + Received >= plan.ResetsAfter)
        {
            Reset();
        }
    }

    private void Pulse() => _progress.Writer.TryWrite(true);
}
