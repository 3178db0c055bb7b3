using System.Collections.Immutable;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Config;

/// <summary>
/// The pools as they are written, kept until it is known which of them packet listeners use: these choose by a table in the kernel, and know of no
/// connection, so that much of what a pool may have does not work with them.
/// </summary>
internal sealed class PacketPools
{
    private readonly Dictionary<string, Written> _all = [];
    private readonly List<TableBinder> _backends = [];

    private sealed record Written(PoolSettings Pool, TableBinder Table, TableBinder Sticky, ImmutableArray<TableBinder> Backends);

    /// <summary>Adds a backend of the pool that is being read.</summary>
    public void AddBackend(TableBinder backend) => _backends.Add(backend);

    /// <summary>The pool that was being read is complete.</summary>
    public void Add(PoolSettings pool, TableBinder table, TableBinder sticky)
    {
        _all.TryAdd(pool.Name, new Written(pool, table, sticky, [.. _backends]));
        _backends.Clear();
    }

    /// <summary>Reports each value of a pool that its packet listener cannot respect, at its place. A pool is reported for the first such listener.</summary>
    public void ReportUnfit(ImmutableArray<ListenerSettings> listeners)
    {
        HashSet<string> reported = [];
        foreach (ListenerSettings listener in listeners.Where(static l => l.Mode == ListenerMode.Packet))
        {
            if (_all.TryGetValue(listener.Pool, out Written? written) && reported.Add(listener.Pool))
            {
                string user = $"listener {Quoted.Text(listener.Name)} has mode = \"packet\"";
                ReportPool(written, user);
                IEnumerable<ListenerSettings> same = listeners.Where(l => l.Mode == ListenerMode.Packet && l.Pool == listener.Pool);
                ReportBackends(written, [.. same.SelectMany(static l => l.Bind)], user);
            }
        }
    }

    private static void ReportPool(Written written, string user)
    {
        (PoolSettings pool, TableBinder table, TableBinder sticky, _) = written;
        if (pool.Balance != BalanceKind.Maglev)
        {
            string mend = $"{user}, which chooses by \"maglev\" only";
            if (table.TryGet("balance", out Setting balance))
            {
                balance.Reject(mend);
            }
            else
            {
                table.ReportMissing("balance", $"\"maglev\", because {mend}");
            }
        }

        Reject(
            table, "hash_key", !pool.HashFields.IsEmpty || pool.HashKey is not (TupleFields.All or TupleFields.SourceIp),
            $"{user}; allowed with it: the whole tuple (the default), or [\"source-ip\"]");
        string why = $"counts or ends connections, and {user}, which knows of none; leave it out, or use another pool";
        Reject(table, "bounded_load", pool.BoundedLoad > 0, why);
        Reject(sticky, "ttl", pool.Sticky.Ttl > TimeSpan.Zero, $"{user}, which remembers its flows by itself (flows); leave it out, or use another pool");
        Reject(table, "new_connection_rate", pool.NewConnectionRate > 0, why);
        Reject(table, "max_age", pool.MaxAge > TimeSpan.Zero, why);
        Reject(table, "on_backend_down", pool.OnBackendDown == OnBackendDown.Close, why);
        Reject(table, "on_backend_removed", pool.OnBackendRemoved == OnBackendRemoved.Close, why);
        Reject(table, "close_rate", pool.CloseRate != new PoolSettings { Name = "" }.CloseRate, why);
        string untouched = $"changes what a backend receives, and {user}, which sends packets on as they are; leave it out, or use another pool";
        Reject(table, "send_proxy", pool.SendProxy != SendProxy.None, untouched);
        Reject(table, "transparent", pool.Transparent, untouched);
        if (pool.Backends.Length > ListenerSettings.MostPacketBackends)
        {
            table.Errors.Add(
                written.Backends[ListenerSettings.MostPacketBackends].Position, table.KeyOf("backends"),
                $"more than {ListenerSettings.MostPacketBackends} backends, and {user}; allowed with it: 1 to {ListenerSettings.MostPacketBackends} in a pool");
        }
    }

    private static void ReportBackends(Written written, ImmutableArray<Endpoint> binds, string user)
    {
        ImmutableArray<ushort> ports = [.. binds.Select(static b => b.Port).Distinct()];
        for (int i = 0; i < written.Backends.Length; i++)
        {
            (BackendSettings backend, TableBinder table) = (written.Pool.Backends[i], written.Backends[i]);
            Reject(
                table, "max_connections", backend.MaxConnections > 0,
                $"counts connections, and {user}, which knows of none; leave it out, or use another pool");
            Reject(table, "backup", backend.Backup, $"{user}, which knows no backups; leave it out, or use another pool");
            ushort? port = backend.Host?.Port ?? backend.Endpoint?.Port;
            if (backend.Endpoint is { IsUnix: true })
            {
                Reject(table, "address", true, $"is a UNIX socket, and {user}, which forwards packets; needed: an IP address or a host name");
            }
            else if (port is { } own && ports.Any(p => p != own))
            {
                Reject(
                    table, "address", true,
                    $"has port {own}, and {user}, whose packets keep their destination port; needed: port {ports.First(p => p != own)}, as in bind");
            }
        }
    }

    private static void Reject(TableBinder table, string key, bool isUnfit, string why)
    {
        if (isUnfit && table.TryGet(key, out Setting setting))
        {
            setting.Reject(why);
        }
    }
}
