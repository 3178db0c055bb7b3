using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using L4Balancer.Core.Connections;

namespace L4Balancer.Engine.Managed;

/// <summary>How reading a direction's source ended.</summary>
internal enum FillEnd
{
    /// <summary>The source's peer sent FIN.</summary>
    Finished,

    /// <summary>The source's connection is gone; everything received before that has been read.</summary>
    Gone,

    /// <summary>As <see cref="Gone"/>, because the kernel gave the peer up.</summary>
    TimedOut,

    /// <summary>The balancer stopped reading, or the sink no longer takes the bytes.</summary>
    Stopped,
}

/// <summary>
/// Relays the bytes from one socket to the other: <see cref="FillAsync"/> reads into a pooled pipe, <see cref="DrainAsync"/> writes out of
/// it, and the pipe's threshold provides backpressure. Filling may begin long before there is a socket to drain into.
/// </summary>
internal sealed class Direction(Action<int> onReceived, Action<int> onSent, HeldMemory held)
{
    /// <summary>Bytes of a read where <see cref="HeldMemory"/> has no room.</summary>
    private const int ReadWithoutRoom = 4096;

    private readonly Pipe _pipe = PipePool.Shared.Get();
    private bool _hasEnded;
    private bool _isLookedAt;
    private bool _isHeldUp;
    private bool _isReading;
    private int _held;
    private TaskCompletionSource? _drained;
    private long _received;
    private long _consumed;
    private long _examined;

    /// <summary>The pipe is full, or there is no room to hold more, so the source is not read. Any thread may read it.</summary>
    public bool IsHeldUp => Volatile.Read(ref _isHeldUp);

    /// <summary>Something has come that is not reported yet, though it may have left the kernel. Any thread may read it.</summary>
    public bool IsReading => Volatile.Read(ref _isReading);

    /// <summary>
    /// What is received is looked at before anything is written. Then it is read, a little at a time, even where <see cref="HeldMemory"/>
    /// has no room: otherwise a client of which some bytes are held could never send the rest of its head. Bounded by the pipe's threshold.
    /// Any thread.
    /// </summary>
    public bool IsLookedAt
    {
        get => Volatile.Read(ref _isLookedAt);
        set => Volatile.Write(ref _isLookedAt, value);
    }

    /// <summary>Nothing has been received, apart from what was consumed. Any thread may read it.</summary>
    public bool IsEmpty => Volatile.Read(ref _received) == Volatile.Read(ref _consumed);

    /// <summary>How the sink's connection was lost; set before <see cref="DrainAsync"/> returns false.</summary>
    public LossKind SinkLoss { get; private set; }

    /// <summary>Reads until FIN, a reset or cancellation, then completes the pipe, so that draining ends too.</summary>
    public async Task<FillEnd> FillAsync(Socket source, CancellationToken stop)
    {
        PipeWriter writer = _pipe.Writer;
        try
        {
            IoEnd lost = IoEnd.Done;
            while (true)
            {
                // A zero-byte receive waits for data without a buffer, so that a quiet connection holds none. If it is the call that
                // returns the reset, it also clears the error, and the receives after it only see an end of file.
                IoResult ready = await IoResult.ReceiveAsync(source, Memory<byte>.Empty, stop).ConfigureAwait(false);
                if (ready.End == IoEnd.Cancelled)
                {
                    return FillEnd.Stopped;
                }

                Volatile.Write(ref _isReading, true);
                lost = ready.End == IoEnd.Done ? lost : ready.End;
                Memory<byte> buffer = writer.GetMemory();
                if (!held.HasRoomFor(buffer.Length))
                {
                    // The rest waits in the kernel. A little is read once the pipe is empty, or a peer that reads could not go on.
                    if (!IsLookedAt)
                    {
                        Volatile.Write(ref _isHeldUp, true);
                        await DrainedAsync().ConfigureAwait(false);
                        Volatile.Write(ref _isHeldUp, false);
                    }

                    buffer = buffer[..Math.Min(buffer.Length, ReadWithoutRoom)];
                }

                IoResult received = await IoResult.ReceiveAsync(source, buffer, stop).ConfigureAwait(false);
                if (received is not { End: IoEnd.Done, Bytes: > 0 })
                {
                    return received.End == IoEnd.Cancelled ? FillEnd.Stopped
                        : lost == IoEnd.TimedOut || received.End == IoEnd.TimedOut ? FillEnd.TimedOut
                        : lost == IoEnd.Gone || received.End == IoEnd.Gone ? FillEnd.Gone
                        : FillEnd.Finished;
                }

                Volatile.Write(ref _received, _received + received.Bytes);
                onReceived(received.Bytes);
                Volatile.Write(ref _isReading, false);
                held.Take(received.Bytes);
                Interlocked.Add(ref _held, received.Bytes);
                writer.Advance(received.Bytes);
                Volatile.Write(ref _isHeldUp, true);
                FlushResult flushed = await writer.FlushAsync(CancellationToken.None).ConfigureAwait(false);
                Volatile.Write(ref _isHeldUp, false);
                if (flushed.IsCompleted)
                {
                    return FillEnd.Stopped;
                }
            }
        }
        finally
        {
            await writer.CompleteAsync().ConfigureAwait(false);
        }
    }

    /// <summary>
    /// What has been received, once there is more than the last look has seen, filling has ended, or <see cref="EndLook"/> was called. Every
    /// look is followed by one <see cref="Looked"/>. Not while <see cref="DrainAsync"/> is running.
    /// </summary>
    public ValueTask<ReadResult> LookAsync() => _pipe.Reader.ReadAsync(CancellationToken.None);

    /// <summary>As <see cref="LookAsync"/>, without waiting.</summary>
    /// <returns>False if nothing has been received that was not consumed; no <see cref="Looked"/> follows.</returns>
    public bool TryLook(out ReadResult look) => _pipe.Reader.TryRead(out look);

    /// <summary>Lets the look that waits, or the next one, return with what is there. Any thread may call.</summary>
    public void EndLook() => _pipe.Reader.CancelPendingRead();

    /// <param name="consumed">Bytes, from the first, that are not to be written to the sink.</param>
    /// <param name="needsMore">The next look waits for more.</param>
    public void Looked(ReadOnlySequence<byte> seen, int consumed, bool needsMore)
    {
        // A pipe does not let the examined position go back.
        long examined = needsMore ? seen.Length : Math.Max(_examined, consumed);
        _pipe.Reader.AdvanceTo(seen.GetPosition(consumed), seen.GetPosition(examined));
        _examined = examined - consumed;
        Volatile.Write(ref _consumed, _consumed + consumed);
        Return(consumed);
    }

    /// <summary>Writes what is read until filling has ended and the pipe is empty.</summary>
    /// <param name="preface">Is written before that, in one write with what has been received.</param>
    /// <returns>False if the sink's connection was lost before that; filling then stops too.</returns>
    public async Task<bool> DrainAsync(Socket sink, ReadOnlyMemory<byte> preface)
    {
        PipeReader reader = _pipe.Reader;
        try
        {
            if (!preface.IsEmpty && !await SendWithAsync(sink, preface).ConfigureAwait(false))
            {
                return false;
            }

            while (true)
            {
                ReadResult read = await reader.ReadAsync(CancellationToken.None).ConfigureAwait(false);
                foreach (ReadOnlyMemory<byte> segment in read.Buffer)
                {
                    // The last read of a pipe may contain an empty segment.
                    if (!segment.IsEmpty && !await SendAsync(sink, segment).ConfigureAwait(false))
                    {
                        return false;
                    }
                }

                reader.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted)
                {
                    return true;
                }
            }
        }
        finally
        {
            EndDraining();
        }
    }

    /// <summary>
    /// Nothing is written any more, so filling must not wait for it: neither for the pipe's threshold nor for memory. Without effect after
    /// <see cref="DrainAsync"/>, which must not be running.
    /// </summary>
    public void EndDraining()
    {
        _pipe.Reader.Complete();
        Volatile.Write(ref _hasEnded, true);
        Interlocked.Exchange(ref _drained, null)?.TrySetResult();
    }

    /// <summary>Returns the pipe; neither <see cref="FillAsync"/> nor <see cref="DrainAsync"/> may be running.</summary>
    public void Release()
    {
        held.Return(Interlocked.Exchange(ref _held, 0));
        _pipe.Writer.Complete();
        _pipe.Reader.Complete();
        PipePool.Shared.Return(_pipe);
    }

    // Completes when nothing is held, or when draining has ended.
    private async Task DrainedAsync()
    {
        var drained = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

        // A full fence: if this store were delayed past the reads below, the last send could miss it and complete nothing.
        Interlocked.Exchange(ref _drained, drained);
        if (Volatile.Read(ref _held) > 0 && !Volatile.Read(ref _hasEnded))
        {
            await drained.Task.ConfigureAwait(false);
        }
    }

    private async ValueTask<bool> SendAsync(Socket sink, ReadOnlyMemory<byte> bytes)
    {
        IoResult sent = await IoResult.SendAsync(sink, bytes).ConfigureAwait(false);
        onSent(sent.Bytes);
        Return(sent.Bytes);
        return IsDone(sent);
    }

    // One write, because a header alone and a segment of its own cost the backend a wake-up more.
    private async ValueTask<bool> SendWithAsync(Socket sink, ReadOnlyMemory<byte> preface)
    {
        ReadOnlySequence<byte> received = TryLook(out ReadResult look)
            ? look.Buffer.Slice(0, Math.Min(look.Buffer.Length, PipePool.PauseThreshold)) : default;
        int count = (int)received.Length;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(preface.Length + count);
        IoResult sent;
        try
        {
            preface.CopyTo(buffer);
            received.CopyTo(buffer.AsSpan(preface.Length));
            sent = await IoResult.SendAsync(sink, buffer.AsMemory(0, preface.Length + count)).ConfigureAwait(false);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        onSent(sent.Bytes);
        Return(Math.Max(0, sent.Bytes - preface.Length));
        if (!look.Buffer.IsEmpty || look.IsCompleted || look.IsCanceled)
        {
            _pipe.Reader.AdvanceTo(count > 0 ? received.End : look.Buffer.Start);
        }

        return IsDone(sent);
    }

    private bool IsDone(IoResult sent)
    {
        SinkLoss = sent.End == IoEnd.TimedOut ? LossKind.TimedOut : LossKind.Reset;
        return sent.End == IoEnd.Done;
    }

    // So many bytes are no longer held.
    private void Return(int bytes)
    {
        held.Return(bytes);
        if (Interlocked.Add(ref _held, -bytes) == 0)
        {
            Interlocked.Exchange(ref _drained, null)?.TrySetResult();
        }
    }
}
