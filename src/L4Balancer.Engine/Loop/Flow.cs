namespace L4Balancer.Engine.Loop;

/// <summary>One direction of a connection: the bytes read from its source and not yet written to its sink, and where they are stored.</summary>
internal struct Flow
{
    /// <summary>Consecutive full reads after which a transfer counts as bulk.</summary>
    private const int BulkStreak = 2;

    /// <summary>Consecutive small turns after which it no longer does.</summary>
    private const int CalmStreak = 4;

    /// <summary>
    /// Bytes delivered in bulk after which a stream counts as long: more than a peer takes that never reads, as the maxima of tcp_rmem and of the
    /// limited send queue together come to less.
    /// </summary>
    private const int LongStream = 8 * 1024 * 1024;

    // Numbers of four bytes first, so that none of the 24 bytes is lost: every connection has two of these.
    private int _streamed;

    /// <summary>Bytes held: in <see cref="Pipe"/> if there is one, otherwise in <see cref="Buffer"/> from <see cref="Offset"/> on.</summary>
    public int Held;

    public int Offset;

    /// <summary>Index in the thread's <see cref="BufferPool"/>, or <see cref="BufferPool.None"/>.</summary>
    public int Buffer;

    /// <summary>Index in the thread's <see cref="PipePool"/>, or <see cref="PipePool.None"/>.</summary>
    public short Pipe;

    private byte _streak;

    /// <summary>Bytes are moved by splice(2) instead of through the thread's buffer.</summary>
    public bool Splicing;

    /// <summary>The kernel cannot splice this socket (EINVAL).</summary>
    public bool NeverSplice;

    /// <summary>Number of its place in the thread's <see cref="LongQueues"/>; 0: it has none.</summary>
    public byte LongQueue;

    public static Flow New() => new() { Pipe = PipePool.None, Buffer = BufferPool.None };

    /// <summary>Records whether a read filled the whole buffer.</summary>
    public void NoteRead(bool full)
    {
        _streak = full ? (byte)Math.Min(_streak + 1, BulkStreak) : (byte)0;
        if (_streak == BulkStreak && !NeverSplice)
        {
            Splicing = true;
            _streak = 0;
        }
    }

    /// <summary>Records whether a turn of splicing moved little.</summary>
    public void NoteSpliceTurn(bool small)
    {
        _streak = small ? (byte)(_streak + 1) : (byte)0;
        if (_streak == CalmStreak)
        {
            CopyAgain();
        }
    }

    /// <summary>Records bytes delivered in bulk.</summary>
    public bool IsLongStream(long delivered)
    {
        _streamed = (int)Math.Min(_streamed + delivered, LongStream);
        return _streamed == LongStream;
    }

    public void CopyAgain()
    {
        Splicing = false;
        _streak = 0;
        _streamed = 0;
    }
}
