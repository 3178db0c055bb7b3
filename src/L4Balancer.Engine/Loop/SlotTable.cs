namespace L4Balancer.Engine.Loop;

/// <summary>
/// The connections of one thread, in chunks that never move. A slot is identified by index and generation, so that late events for a slot
/// that has been reused are recognized by their old generation. Single-threaded.
/// </summary>
internal sealed class SlotTable
{
    private readonly Chunks<Slot> _slots = new();
    private readonly Stack<int> _free = new();
    private readonly Chunks<RelayState> _relays = new();
    private readonly Stack<int> _freeRelays = new();
    private int _highest;
    private int _highestRelay;

    public int Count { get; private set; }

    /// <summary>Every slot in use has an index below this.</summary>
    public int End => _highest;

    public ref Slot this[int index] => ref _slots[index];

    public int Rent()
    {
        if (!_free.TryPop(out int index))
        {
            index = _highest++;
        }

        ref Slot slot = ref _slots.Grow(index);
        uint generation = slot.Generation + 1;
        slot = default;
        slot.Index = index;
        slot.Generation = generation & EventTag.GenerationMask;
        slot.Client = Slot.NoDescriptor;
        slot.Backend = Slot.NoDescriptor;
        slot.Setup = -1;
        Count++;
        return index;
    }

    /// <summary>Adds what a connected backend requires.</summary>
    public void BeginRelay(ref Slot slot)
    {
        if (!_freeRelays.TryPop(out int index))
        {
            index = _highestRelay;
            _relays.Grow(index);
            _highestRelay++;
        }

        _relays[index] = RelayState.New();
        slot.SetRelay(_relays.ChunkOf(index), index);
    }

    public void Return(int index)
    {
        ref Slot slot = ref _slots[index];
        slot.State = SlotState.Free;
        slot.Record = default;
        EndRelay(ref slot);
        _free.Push(index);
        Count--;
    }

    private void EndRelay(ref Slot slot)
    {
        if (slot.HasRelay)
        {
            int index = slot.EndRelay();
            _relays[index] = default;
            _freeRelays.Push(index);
        }
    }
}
