using L4Balancer.Core.Routing;

namespace L4Balancer.Metrics;

/// <summary>
/// What each backend of a pool should hold of the pool's connections at one moment: by weight, among those that new connections go
/// to now (the available ones; the backups only while no primary is available). Connections of backends that are drained, down or removed are not
/// shared out.
/// </summary>
internal sealed class FairShares
{
    private readonly bool _backupsServe;
    private readonly long _connections;
    private readonly long _weight;

    public FairShares(Pool pool)
    {
        Pool = pool;
        _backupsServe = !pool.Backends.Any(b => !b.Settings.Backup && Lives(b));
        foreach (Backend backend in pool.Backends)
        {
            _connections += Serves(backend) || IsDisplaced(backend) ? backend.State.Active : 0;
            _weight += Serves(backend) ? backend.Weight : 0;
        }
    }

    public Pool Pool { get; }

    /// <summary>
    /// 1 is exactly its share. 0 while the pool holds no connection; NaN where the backend is to hold none, and holds none or takes none. A
    /// backup that holds connections while primaries serve is compared with the share that it would have if it served as well: all that it
    /// holds is surplus, and the more of the pool it holds, the greater is the ratio.
    /// </summary>
    public double RatioOf(Backend backend)
    {
        bool displaced = IsDisplaced(backend);
        if (!Serves(backend) && !(displaced && backend.State.Active > 0))
        {
            return double.NaN;
        }

        double fair = (double)_connections * backend.Weight / (_weight + (displaced ? backend.Weight : 0));
        return _connections == 0 ? 0 : backend.State.Active / fair;
    }

    private bool Serves(Backend backend) => backend.Settings.Backup == _backupsServe && Lives(backend);

    private bool IsDisplaced(Backend backend) => backend.Settings.Backup && !_backupsServe && Lives(backend);

    private bool Lives(Backend backend) => Pool.Takes(backend.Index);
}
