using System.Buffers;
using L4Balancer.Engine;

namespace L4Balancer.Admin;

/// <summary>
/// Takes what an engine lists and keeps the first of those that were asked for: memory goes by the limit and not by the connections,
/// and comes in pieces that stay out of the large-object heap. One thread.
/// </summary>
internal sealed class ConnectionListing(ConnectionQuery query) : IDisposable
{
    /// <summary>A connection has 232 bytes here; arrays of 85,000 bytes and more are large objects.</summary>
    private const int PieceLength = 256;

    private readonly List<OpenConnection[]> _pieces = [];
    private readonly PriorityQueue<int, long> _least = new();

    /// <summary>How many match.</summary>
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

    /// <summary>Those that were kept, in the order that was asked for.</summary>
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

    /// <summary>Nothing of it may be read any more.</summary>
    public void Dispose()
    {
        // What they refer to (snapshots of the past) must not live on in the pool.
        _pieces.ForEach(p => ArrayPool<OpenConnection>.Shared.Return(p, clearArray: true));
        _pieces.Clear();
    }
}
