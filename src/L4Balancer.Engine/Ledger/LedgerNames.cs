using System.Text;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Ledger;

/// <summary>
/// The names of a ledger. Backends come and go for months, and there are few places, so that names which nothing refers to are removed from time
/// to time: a sweep (<see cref="BeginRound"/>, <see cref="Sweep"/>). Any thread; every member takes the lock.
/// </summary>
internal sealed unsafe class LedgerNames(SharedFile file, LedgerShape shape)
{
    private const int PerPage = LedgerShape.Page / LedgerName.Size;

    /// <summary>Names refused, for lack of a place, between two sweeps.</summary>
    private const int RefusalsBetweenSweeps = 1024;

    private readonly Lock _gate = new();
    private readonly Dictionary<(LedgerNameKind Kind, int Parent, string Name), int> _numbers = [];
    private readonly Stack<int> _free = new();
    private readonly uint[] _askedIn = new uint[shape.Names];
    private uint _round;
    private int _untilSweep = Math.Max(1, shape.Names / 2);

    /// <summary>Half of the places that were free are used: a sweep is due.</summary>
    public bool NeedsSweep
    {
        get
        {
            lock (_gate)
            {
                return _untilSweep <= 0;
            }
        }
    }

    private LedgerHeader* Header => (LedgerHeader*)file.Start;

    /// <summary>The number of a name, which is written if it is new.</summary>
    /// <param name="parent">Of a backend: the number of its pool. It must not be removed meanwhile, so <see cref="OfBackend"/> is the way.</param>
    /// <returns>0 if it is too long, or there is no place for it: what it belongs to cannot be taken over.</returns>
    public int Of(LedgerNameKind kind, int parent, string text)
    {
        lock (_gate)
        {
            if (!_numbers.TryGetValue((kind, parent, text), out int number))
            {
                number = (kind == LedgerNameKind.Backend && parent == 0) ? 0 : Write(kind, parent, text);
            }

            if (number > 0)
            {
                _askedIn[number - 1] = _round;
            }

            return number;
        }
    }

    /// <inheritdoc cref="Of"/>
    public int OfBackend(string pool, string backend)
    {
        lock (_gate)
        {
            return Of(LedgerNameKind.Backend, Of(LedgerNameKind.Pool, 0, pool), backend);
        }
    }

    /// <returns>False if the name of the pool has no place.</returns>
    public bool SetSeeds(string pool, ulong first, ulong second)
    {
        lock (_gate)
        {
            int number = Of(LedgerNameKind.Pool, 0, pool);
            if (number > 0)
            {
                LedgerName* name = At(number);
                (name->FirstSeed, name->SecondSeed) = (first, second);
            }

            return number > 0;
        }
    }

    /// <summary>Names that are asked for from now on are kept by the next sweep.</summary>
    public void BeginRound()
    {
        lock (_gate)
        {
            _round++;
        }
    }

    /// <summary>
    /// Removes every name that has not been asked for since <see cref="BeginRound"/> and that nothing refers to. By now nobody may use a number
    /// that was asked for before that, except as these marks say.
    /// </summary>
    /// <param name="used">By number: what records of the ledger refer to.</param>
    public void Sweep(bool[] used)
    {
        lock (_gate)
        {
            List<KeyValuePair<(LedgerNameKind Kind, int Parent, string Name), int>> unused =
                [.. _numbers.Where(n => !used[n.Value] && _askedIn[n.Value - 1] != _round)];
            Remove(unused.Where(n => n.Key.Kind != LedgerNameKind.Pool));

            // A pool is kept as long as one of its backends is.
            HashSet<int> parents = [.. _numbers.Keys.Select(k => k.Parent)];
            Remove(unused.Where(n => n.Key.Kind == LedgerNameKind.Pool && !parents.Contains(n.Value)));
            int free = shape.Names - _numbers.Count;
            _untilSweep = free == 0 ? RefusalsBetweenSweeps : Math.Max(1, free / 2);
        }
    }

    private void Remove(IEnumerable<KeyValuePair<(LedgerNameKind Kind, int Parent, string Name), int>> names)
    {
        foreach (((LedgerNameKind, int, string) key, int number) in names)
        {
            Volatile.Write(ref *(byte*)&At(number)->Kind, (byte)LedgerNameKind.None);
            _numbers.Remove(key);
            _free.Push(number);
        }
    }

    private int Write(LedgerNameKind kind, int parent, string text)
    {
        int length = Encoding.UTF8.GetByteCount(text);
        if (length is 0 or > LedgerName.LongestText)
        {
            return 0;
        }

        _untilSweep--;
        if (!TryPlace(out int number))
        {
            return 0;
        }

        LedgerName* name = At(number);
        *name = new LedgerName { Length = (ushort)length, Parent = parent };
        Encoding.UTF8.GetBytes(text, new Span<byte>(&name->Text, LedgerName.LongestText));
        Volatile.Write(ref *(byte*)&name->Kind, (byte)kind);
        Volatile.Write(ref Header->NamesInUse, Math.Max(Header->NamesInUse, number));
        _numbers.Add((kind, parent, text), number);
        return number;
    }

    private bool TryPlace(out int number)
    {
        if (_free.TryPop(out number))
        {
            return true;
        }

        int place = Header->NamesInUse;
        number = place + 1;
        return place < shape.Names
            && (place % PerPage != 0 || file.Reserve(shape.NamesAt + ((long)place * LedgerName.Size), LedgerShape.Page) == Errno.None);
    }

    private LedgerName* At(int number) => (LedgerName*)(file.Start + shape.NamesAt) + (number - 1);
}
