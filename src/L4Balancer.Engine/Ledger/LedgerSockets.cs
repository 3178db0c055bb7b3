using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Ledger;

/// <summary>The records of listening sockets in a <see cref="ConnectionLedger"/>, which calls under its lock.</summary>
internal sealed unsafe class LedgerSockets(SharedFile file, LedgerShape shape)
{
    private readonly Dictionary<int, int> _places = [];
    private readonly Stack<int> _free = new();

    private LedgerHeader* Header => (LedgerHeader*)file.Start;

    /// <summary>A socket listens from now on; one that is known already may go over to another listener.</summary>
    /// <param name="listener">The number of its name; 0: the name has no place.</param>
    /// <returns>False if there is no place for it.</returns>
    public bool Add(int descriptor, int listener)
    {
        if (_places.TryGetValue(descriptor, out int known))
        {
            At(known)->Listener = listener;
            return listener > 0;
        }

        int place = listener == 0 ? shape.Listening : _free.TryPop(out int free) ? free : Header->ListeningInUse;
        if (place == shape.Listening)
        {
            return false;
        }

        LedgerListening* record = At(place);
        record->Descriptor = descriptor;
        record->Cookie = SocketCookie.Of(descriptor);
        record->Listener = listener;
        Volatile.Write(ref record->IsInUse, 1);
        Header->ListeningInUse = Math.Max(Header->ListeningInUse, place + 1);
        _places[descriptor] = place;
        return true;
    }

    /// <summary>To be called before the descriptor is closed. Nothing happens if it is not known.</summary>
    public void Remove(int descriptor)
    {
        if (_places.Remove(descriptor, out int place))
        {
            Volatile.Write(ref At(place)->IsInUse, 0);
            _free.Push(place);
        }
    }

    /// <summary>Marks the names that the records refer to.</summary>
    public void MarkNames(bool[] used)
    {
        foreach (int place in _places.Values)
        {
            used[At(place)->Listener] = true;
        }
    }

    private LedgerListening* At(int place) => (LedgerListening*)(file.Start + shape.ListeningAt) + place;
}
