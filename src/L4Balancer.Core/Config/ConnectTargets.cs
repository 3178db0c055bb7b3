using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Config;

/// <summary>The addresses that the daemon would connect to, to be compared with its own listeners once all of them have been read.</summary>
internal sealed class ConnectTargets
{
    private readonly List<(Endpoint Endpoint, Setting Setting, bool IsProbe)> _all = [];

    public void AddBackend(Endpoint endpoint, Setting address) => _all.Add((endpoint, address, IsProbe: false));

    /// <param name="endpoint">The address of a backend with the port of the pool's probes.</param>
    /// <param name="port">The setting of that port.</param>
    public void AddProbe(Endpoint endpoint, Setting port) => _all.Add((endpoint, port, IsProbe: true));

    /// <summary>Reports each address that is a listener's, as far as the file shows it.</summary>
    public void ReportLoops(OwnListeners own)
    {
        HashSet<Toml.TomlPosition> reported = [];
        foreach ((Endpoint endpoint, Setting setting, bool isProbe) in _all)
        {
            // The port of the probes stands once for all backends of a pool.
            if (own.At(endpoint) is not { } listener || !reported.Add(setting.Position))
            {
                continue;
            }

            setting.Reject(isProbe
                ? $"probes of \"{endpoint}\" would reach {listener} of this file, so that the balancer connects to itself; "
                    + "specify the port of another service, or 0 for the backend's own"
                : $"\"{endpoint}\" is the address of {listener} of this file, so that the balancer connects to itself; "
                    + "specify the address of another server");
        }
    }
}
