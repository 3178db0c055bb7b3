using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;

namespace L4Balancer.Engine.Managed;

/// <summary>How reading one direction's source came to its end.</summary>
internal enum FillEnd
{
    /// <summary>The source's peer sent FIN.</summary>
    Finished,

    /// <summary>The source is gone; everything that was received before has been read.</summary>
    Gone,

    /// <summary>We stopped reading, or nobody takes the bytes any more.</summary>
    Stopped,
}

/// <summary>
/// The bytes from one socket to the other: <see cref="FillAsync"/> reads into a pooled pipe, <see cref="DrainAsync"/> writes out of
/// it, and the pipe's threshold is the backpressure. Filling may begin long before there is a socket to drain into.
/// </summary>
internal sealed class Direction(Action<int> onReceived, Action<int> onSent)
{
    private readonly Pipe _pipe = PipePool.Shared.Get();

    /// <summary>Reads until FIN, a reset or the token; then completes the pipe, so that draining ends too.</summary>
    public async Task<FillEnd> FillAsync(Socket source, CancellationToken stop)
    {
        PipeWriter writer = _pipe.Writer;
        FillEnd? end = null;
        bool gone = false;
        while (end is null)
        {
            // A zero-byte receive waits for data without a buffer, so that a quiet connection holds none. Where it is the one that
            // meets the reset, it takes the error with it, and the receives after it see a mere end of file.
            IoResult ready = await IoResult.ReceiveAsync(source, Memory<byte>.Empty, stop).ConfigureAwait(false);
            if (ready.End == IoEnd.Cancelled)
            {
                end = FillEnd.Stopped;
                break;
            }

            gone |= ready.End == IoEnd.Gone;
            IoResult received = await IoResult.ReceiveAsync(source, writer.GetMemory(), stop).ConfigureAwait(false);
            end = received switch
            {
                { End: IoEnd.Gone } => FillEnd.Gone,
                { End: IoEnd.Cancelled } => FillEnd.Stopped,
                { Bytes: 0 } => gone ? FillEnd.Gone : FillEnd.Finished,
                _ => null,
            };
            if (end is null)
            {
                onReceived(received.Bytes);
                writer.Advance(received.Bytes);
                FlushResult flushed = await writer.FlushAsync(CancellationToken.None).ConfigureAwait(false);
                end = flushed.IsCompleted ? FillEnd.Stopped : null;
            }
        }

        await writer.CompleteAsync().ConfigureAwait(false);
        return end.Value;
    }

    /// <summary>Writes what is read until filling has ended and the pipe is empty.</summary>
    /// <returns>False where the sink was gone before that; filling is told to stop.</returns>
    public async Task<bool> DrainAsync(Socket sink)
    {
        PipeReader reader = _pipe.Reader;
        bool open = true;
        while (open)
        {
            ReadResult read = await reader.ReadAsync(CancellationToken.None).ConfigureAwait(false);
            foreach (ReadOnlyMemory<byte> segment in read.Buffer)
            {
                IoResult sent = await IoResult.SendAsync(sink, segment).ConfigureAwait(false);
                open = sent.End == IoEnd.Done;
                if (!open)
                {
                    break;
                }

                onSent(sent.Bytes);
            }

            reader.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted && open)
            {
                break;
            }
        }

        await reader.CompleteAsync().ConfigureAwait(false);
        return open;
    }

    /// <summary>Gives the pipe back; neither <see cref="FillAsync"/> nor <see cref="DrainAsync"/> may be running.</summary>
    public void Release()
    {
        _pipe.Writer.Complete();
        _pipe.Reader.Complete();
        PipePool.Shared.Return(_pipe);
    }
}
