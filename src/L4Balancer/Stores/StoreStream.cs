namespace L4Balancer.Stores;

/// <summary>How a wait for the next line has ended.</summary>
internal enum StreamEnd
{
    /// <summary>There is a line.</summary>
    None,

    /// <summary>The store has closed the stream, or the connection broke.</summary>
    Closed,

    /// <summary>No byte for the bound of <see cref="StoreHttpOptions.Silence"/>.</summary>
    Silent,

    /// <summary>The time that the caller gave has passed.</summary>
    Elapsed,

    /// <summary>A line is longer than <see cref="StoreHttpOptions.MaxBytes"/>.</summary>
    TooLong,
}

/// <summary>An answer that does not end: one JSON value a line. One reader at a time.</summary>
internal sealed class StoreStream(HttpResponseMessage answer, Stream stream, string place, StoreHttpOptions options, TimeProvider clock)
    : IDisposable
{
    private byte[] _buffer = new byte[16 * 1024];
    private int _start;
    private int _end;
    private int _searched;

    /// <summary>The host and port that the stream comes from.</summary>
    public string Place => place;

    /// <summary>Waits for the next line that is not empty.</summary>
    /// <param name="elapsed">Ends the wait with <see cref="StreamEnd.Elapsed"/>.</param>
    /// <returns>The line without its line break, valid until the next call; or why there is none.</returns>
    /// <exception cref="OperationCanceledException"><paramref name="stop"/> was cancelled.</exception>
    public async Task<(ReadOnlyMemory<byte> Line, StreamEnd End)> LineAsync(CancellationToken elapsed, CancellationToken stop)
    {
        while (true)
        {
            int at = _buffer.AsSpan(_searched, _end - _searched).IndexOf((byte)'\n');
            if (at >= 0)
            {
                ReadOnlyMemory<byte> line = _buffer.AsMemory(_start, _searched + at - _start);
                _start = _searched = _searched + at + 1;
                if (line.Span.IndexOfAnyExcept((byte)' ', (byte)'\r') >= 0)
                {
                    return (line, StreamEnd.None);
                }

                continue;
            }

            _searched = _end;
            if (!HasRoom())
            {
                return (default, StreamEnd.TooLong);
            }

            if (await ReadAsync(elapsed, stop) is var end and not StreamEnd.None)
            {
                return (default, end);
            }
        }
    }

    public void Dispose()
    {
        stream.Dispose();
        answer.Dispose();
    }

    private async Task<StreamEnd> ReadAsync(CancellationToken elapsed, CancellationToken stop)
    {
        using var silent = new CancellationTokenSource(options.Silence, clock);
        using var any = CancellationTokenSource.CreateLinkedTokenSource(silent.Token, elapsed, stop);
        try
        {
            int count = await stream.ReadAsync(_buffer.AsMemory(_end), any.Token);
            _end += count;
            return count == 0 ? StreamEnd.Closed : StreamEnd.None;
        }
        catch (Exception e) when (StoreHttp.IsOfNetwork(e, stop))
        {
            return elapsed.IsCancellationRequested ? StreamEnd.Elapsed
                : silent.IsCancellationRequested ? StreamEnd.Silent : StreamEnd.Closed;
        }
    }

    private bool HasRoom()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_searched, _end, _start) = (_searched - _start, _end - _start, 0);
        }

        if (_end == _buffer.Length)
        {
            if (_end >= options.MaxBytes)
            {
                return false;
            }

            Array.Resize(ref _buffer, Math.Min(_buffer.Length * 2, options.MaxBytes));
        }

        return true;
    }
}
