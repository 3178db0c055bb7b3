using System.Buffers;

namespace L4Balancer.Metrics;

/// <summary>
/// Text of any length in chunks that are lent and come back: tens of megabytes in one piece would be garbage of the costliest
/// generation at every scrape. One thread at a time.
/// </summary>
internal sealed class ChunkedText : IBufferWriter<byte>, IDisposable
{
    private const int ChunkSize = 64 * 1024;

    private readonly List<byte[]> _chunks = [];
    private readonly List<int> _used = [];
    private byte[] _current = [];
    private int _at;

    /// <summary>What was written, in order; valid until the disposal.</summary>
    public IEnumerable<ReadOnlyMemory<byte>> Chunks => _chunks.Select((chunk, i) => (ReadOnlyMemory<byte>)chunk.AsMemory(0, _used[i]));

    public long Length => _used.Sum(u => (long)u);

    public void Advance(int count)
    {
        _at += count;
        _used[^1] = _at;
    }

    public Span<byte> GetSpan(int sizeHint = 0)
    {
        Provide(sizeHint);
        return _current.AsSpan(_at);
    }

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Provide(sizeHint);
        return _current.AsMemory(_at);
    }

    public void Dispose()
    {
        _chunks.ForEach(chunk => ArrayPool<byte>.Shared.Return(chunk));
        _chunks.Clear();
        _used.Clear();
        (_current, _at) = ([], 0);
    }

    private void Provide(int sizeHint)
    {
        int wanted = Math.Max(sizeHint, 1);
        if (_current.Length - _at < wanted)
        {
            _current = ArrayPool<byte>.Shared.Rent(Math.Max(wanted, ChunkSize));
            _at = 0;
            _chunks.Add(_current);
            _used.Add(0);
        }
    }
}
