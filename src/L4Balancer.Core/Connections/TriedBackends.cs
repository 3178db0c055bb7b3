using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using L4Balancer.Core.Routing;

namespace L4Balancer.Core.Connections;

/// <summary>The backends that one connection has tried, without an allocation. The capacity bounds how many it tries.</summary>
internal struct TriedBackends
{
    public const int Capacity = 32;

    private Indexes _indexes;
    private int _count;
    private int _full;

    /// <summary>No further backend is tried.</summary>
    public readonly bool IsFull => _count == Capacity;

    public readonly bool IsEmpty => _count == 0;

    /// <summary>No connect was made: every backend's queue was full, or there was no backend to try.</summary>
    public readonly bool AreFull => _count == _full;

    [System.Diagnostics.CodeAnalysis.UnscopedRef]
    public readonly ReadOnlySpan<ushort> Span => MemoryMarshal.CreateReadOnlySpan(in _indexes[0], _count);

    public void Add(int backend) => _indexes[_count++] = (ushort)backend;

    /// <summary>Adds a backend that was not tried because its queue was full.</summary>
    public void AddFull(int backend)
    {
        Add(backend);
        _full++;
    }

    public void Clear() => _count = _full = 0;

    /// <summary>Translates the entries to another snapshot's pool; backends that it lacks are dropped.</summary>
    public void Rebase(Pool before, Pool now)
    {
        int kept = 0;
        for (int i = 0; i < _count; i++)
        {
            int index = now.IndexOf(before.Backends[_indexes[i]].State);
            if (index != Pool.None)
            {
                _indexes[kept++] = (ushort)index;
            }
        }

        _count = kept;
        _full = Math.Min(_full, kept);
    }

    [InlineArray(Capacity)]
    private struct Indexes
    {
        private ushort _first;
    }
}
