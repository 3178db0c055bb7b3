using System.Runtime.CompilerServices;

namespace L4Balancer.Engine.Loop;

/// <summary>
/// An array that grows by whole chunks, so that a reference into it stays valid and growing copies no elements. Single-threaded.
/// </summary>
/// <remarks>
/// A chunk is a large object for the collector (85,000 bytes or more), which neither moves nor copies it, and whose pages come when they are used: with
/// smaller ones the memory of thousands of new connections was there twice for a while.
/// </remarks>
internal sealed class Chunks<T>
    where T : struct
{
    private const int LargeObject = 85_000;

    private T[][] _chunks = [];

    // Folded by the compiler: an index costs one shift.
    private static int Bits => Unsafe.SizeOf<T>() switch
    {
        > LargeObject >> 9 => 9,
        > LargeObject >> 10 => 10,
        > LargeObject >> 11 => 11,
        > LargeObject >> 12 => 12,
        > LargeObject >> 13 => 13,
        _ => 15,
    };

    private static int ChunkLength => 1 << Bits;

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
                grown[i] = new T[ChunkLength];
            }

            _chunks = grown;
        }

        return ref this[index];
    }
}
