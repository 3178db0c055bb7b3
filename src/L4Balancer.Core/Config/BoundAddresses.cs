using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Config;

/// <summary>
/// Every address and every UNIX socket that the daemon will listen on. Without SO_REUSEPORT the kernel refuses a second socket (EADDRINUSE) on the same
/// address and port, and also if one of the two is the wildcard of the same family; <c>[::]</c> is bound for IPv6 only.
/// </summary>
internal sealed class BoundAddresses
{
    private readonly List<(Endpoint Endpoint, Setting Setting)> _all = [];

    public void Add(Endpoint endpoint, Setting setting) => _all.Add((endpoint, setting));

    /// <summary>Reports each address that conflicts with an earlier one.</summary>
    public void ReportConflicts()
    {
        Dictionary<Endpoint, Setting> exact = [];
        Dictionary<(bool IsV4, ushort Port), Setting> wildcards = [];
        Dictionary<(bool IsV4, ushort Port), Setting> any = [];
        foreach ((Endpoint endpoint, Setting setting) in _all.OrderBy(static b => b.Setting.Position.Line)
            .ThenBy(static b => b.Setting.Position.Column))
        {
            if (endpoint.IsUnix)
            {
                if (!exact.TryAdd(endpoint, setting))
                {
                    setting.Reject($"\"{endpoint}\" is already bound at {exact[endpoint].Position}; allowed: each path once");
                }

                continue;
            }

            if (endpoint.Port == 0)
            {
                // The kernel assigns a different free port to each such socket.
                continue;
            }

            (bool IsV4, ushort Port) family = (endpoint.Address.IsV4, endpoint.Port);
            if (exact.TryGetValue(endpoint, out Setting same))
            {
                setting.Reject($"\"{endpoint}\" is already bound at {same.Position}; allowed: each address and port once");
            }
            else if (wildcards.TryGetValue(family, out Setting other)
                || (endpoint.Address.IsAny && any.TryGetValue(family, out other)))
            {
                setting.Reject($"\"{endpoint}\" conflicts with the address at {other.Position}; "
                    + "allowed: the wildcard or single addresses of one port, not both");
            }
            else
            {
                exact.Add(endpoint, setting);
                any.TryAdd(family, setting);
                if (endpoint.Address.IsAny)
                {
                    wildcards.Add(family, setting);
                }
            }
        }
    }
}
