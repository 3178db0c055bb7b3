namespace L4Balancer.Engine.Loop;

/// <summary>
/// An array that grows by whole chunks, so that a reference into it stays valid and growing copies no elements. Single-threaded.
/// </summary>
/// <remarks>
/// Chunks are allocated where the collector moves nothing: it would copy them twice before it leaves them alone, and the memory of thousands of new
/// connections would be there several times for a while.
/// </remarks>
internal sealed class Chunks<T>
    where T : struct
{
    private const int Bits = 8;
    private const int ChunkLength = 1 << Bits;

    private T[][] _chunks = [];

    /// <summary>Every index below this exists.</summary>
    public int Length => _chunks.Length << Bits;

    public ref T this[int index] => ref _chunks[index >> Bits][index & (ChunkLength - 1)];

    /// <summary>The array that has the element of this index, at <see cref="OffsetOf"/>; it never moves.</summary>
    public T[] ChunkOf(int index) => _chunks[index >> Bits];

    public static int OffsetOf(int index) => index & (ChunkLength - 1);

    /// <summary>The element at this index, created if it does not exist yet.</summary>
    public ref T Grow(int index)
    {
        int chunk = index >> Bits;
        if (chunk >= _chunks.Length)
        {
            var grown = new T[chunk + 1][];
            _chunks.CopyTo(grown, 0);
            for (int i = _chunks.Length; i < grown.Length; i++)
            {
                grown[i] = GC.AllocateArray<T>(ChunkLength, pinned: true);
            }

            _chunks = grown;
        }

        return ref this[index];
    }
}
