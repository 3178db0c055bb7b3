using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Sticky;

/// <summary>One key of a <see cref="StickyTable"/>, as a value in an array: 88 bytes.</summary>
internal struct StickyEntry
{
    public StickyKeyHash Hash;

    /// <summary>The client that it counts for: the first that came with this key.</summary>
    public HostAddress Client;

    public BackendState? Backend;

    /// <summary>When its last connection ended, or was established; the default while none ever was.</summary>
    public Instant Since;

    /// <summary>The index of the backend in the pool, when it was last picked.</summary>
    public int Hint;

    /// <summary>The next entry of the same bucket, or of the free ones; -1: none.</summary>
    public int Next;

    public StickyLink ByAge;
    public StickyLink OfClient;

    /// <summary>Connections that hold it, established ones and those being set up.</summary>
    public int Living;

    /// <summary>Changes with each use of this place in the array; never 0 while it is in use.</summary>
    public int Generation;

    /// <summary>Which of the two lists by age it is in.</summary>
    public bool IsInLiving;
}

/// <summary>The neighbours in a list, as indices; -1: none.</summary>
internal struct StickyLink
{
    public int Older;
    public int Newer;

    public static StickyLink Loose => new() { Older = -1, Newer = -1 };
}

/// <summary>A list through one of the links of the entries.</summary>
internal struct StickyList
{
    private const int None = -1;

    public delegate ref StickyLink LinkOf(ref StickyEntry entry);

    public int Oldest;
    public int Newest;

    public static StickyList Empty => new() { Oldest = None, Newest = None };

    public void Append(StickyEntry[] entries, int index, LinkOf link)
    {
        link(ref entries[index]) = new StickyLink { Older = Newest, Newer = None };
        if (Newest == None)
        {
            Oldest = index;
        }
        else
        {
            link(ref entries[Newest]).Newer = index;
        }

        Newest = index;
    }

    public void Unlink(StickyEntry[] entries, int index, LinkOf link)
    {
        StickyLink own = link(ref entries[index]);
        if (own.Older == None)
        {
            Oldest = own.Newer;
        }
        else
        {
            link(ref entries[own.Older]).Newer = own.Newer;
        }

        if (own.Newer == None)
        {
            Newest = own.Older;
        }
        else
        {
            link(ref entries[own.Newer]).Older = own.Older;
        }
    }
}
