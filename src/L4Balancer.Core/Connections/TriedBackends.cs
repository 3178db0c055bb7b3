using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using L4Balancer.Core.Routing;

namespace L4Balancer.Core.Connections;

/// <summary>The backends that one connection has failed at, without an allocation. It bounds how far a connection walks.</summary>
internal struct TriedBackends
{
    public const int Capacity = 32;

    private Indexes _indexes;
    private int _count;

    public readonly bool IsFull => _count == Capacity;

    public readonly int Count => _count;

    [System.Diagnostics.CodeAnalysis.UnscopedRef]
    public readonly ReadOnlySpan<ushort> Span => MemoryMarshal.CreateReadOnlySpan(in _indexes[0], _count);

    public void Add(int backend) => _indexes[_count++] = (ushort)backend;

    public void Clear() => _count = 0;

    /// <summary>The same backends in another snapshot's pool, as far as they are there.</summary>
    public void Follow(Pool before, Pool now)
    {
        int kept = 0;
        for (int i = 0; i < _count; i++)
        {
            int index = now.IndexOf(before.Backends[_indexes[i]].Cell);
            if (index != Pool.None)
            {
                _indexes[kept++] = (ushort)index;
            }
        }

        _count = kept;
    }

    [InlineArray(Capacity)]
    private struct Indexes
    {
        private ushort _first;
    }
}
