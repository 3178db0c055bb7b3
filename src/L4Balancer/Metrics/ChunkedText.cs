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

    /// <summary>What was written, in order; valid until the disposal.</summary>
    public IEnumerable<ReadOnlyMemory<byte>> Chunks => _chunks.Select((chunk, i) => (ReadOnlyMemory<byte>)chunk.AsMemory(0, _used[i]));

    public long Length => _used.Sum(u => (long)u);

    public void Advance(int count) => _used[^1] += count;

    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        int wanted = Math.Max(sizeHint, 1);
        if (_chunks.Count == 0 || _chunks[^1].Length - _used[^1] < wanted)
        {
            _chunks.Add(ArrayPool<byte>.Shared.Rent(Math.Max(wanted, ChunkSize)));
            _used.Add(0);
        }

        return _chunks[^1].AsMemory(_used[^1]);
    }

    public void Dispose()
    {
        _chunks.ForEach(chunk => ArrayPool<byte>.Shared.Return(chunk));
        _chunks.Clear();
        _used.Clear();
    }
}
