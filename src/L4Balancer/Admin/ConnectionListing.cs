using System.Buffers;
using L4Balancer.Engine;

namespace L4Balancer.Admin;

/// <summary>
/// Receives an engine's listing and keeps the first matching connections: memory depends on the limit, not on the number of
/// connections, and is allocated in pieces below the size of large objects. One thread.
/// </summary>
internal sealed class ConnectionListing(ConnectionQuery query) : IDisposable
{
    /// <summary>A connection takes 232 bytes here; arrays of 85,000 bytes and more go to the large-object heap.</summary>
    private const int PieceLength = 256;

    private readonly List<OpenConnection[]> _pieces = [];
    private readonly PriorityQueue<int, long> _least = new();

    /// <summary>The number of matching connections.</summary>
    public int Total { get; private set; }

    public void Add(OpenConnection item)
    {
        if (!query.Matches(item))
        {
            return;
        }

        Total++;
        long key = query.KeyOf(item);
        int place = _least.Count;
        if (place < query.Limit)
        {
            if (place == _pieces.Count * PieceLength)
            {
                _pieces.Add(ArrayPool<OpenConnection>.Shared.Rent(PieceLength));
            }

            _least.Enqueue(place, key);
        }
        else if (_least.TryPeek(out place, out long least) && key > least)
        {
            _least.DequeueEnqueue(place, key);
        }
        else
        {
            return;
        }

        _pieces[place / PieceLength][place % PieceLength] = item;
    }

    /// <summary>The kept connections in the requested order.</summary>
    public IEnumerable<OpenConnection> InOrder()
    {
        var places = new int[_least.Count];
        for (int i = places.Length - 1; i >= 0; i--)
        {
            places[i] = _least.Dequeue();
        }

        foreach (int place in places)
        {
            yield return _pieces[place / PieceLength][place % PieceLength];
        }
    }

    /// <summary>Returns the memory; the listing must not be used afterwards.</summary>
    public void Dispose()
    {
        // Cleared, because the array pool would otherwise keep old snapshots alive.
        _pieces.ForEach(p => ArrayPool<OpenConnection>.Shared.Return(p, clearArray: true));
        _pieces.Clear();
    }
}
