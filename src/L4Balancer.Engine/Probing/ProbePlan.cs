using L4Balancer.Core.Config;
using L4Balancer.Core.Health;

namespace L4Balancer.Engine.Probing;

/// <summary>What the probes of one pool do, and when. Recreated when the settings change. Any thread may read it.</summary>
internal sealed class ProbePlan(HealthSettings settings, Random random)
{
    private readonly Lazy<TlsTrust> _trust = new(() => TlsTrust.Of(settings));

    public HealthSettings Settings => settings;

    public ProbeSchedule Schedule { get; } = new(settings.Interval, settings.FastInterval, settings.DownInterval, settings.Jitter, random);

    /// <summary>Whether a probe needs an exchange after the connect.</summary>
    public bool HasExchange => settings.Type is not (HealthType.None or HealthType.Tcp)
        || (settings.Type == HealthType.Tcp && (settings.Send.Length > 0 || settings.Expect.Length > 0));

    /// <summary>Created at the first handshake, because reading a file of all authorities takes tens of milliseconds.</summary>
    public TlsTrust Trust => _trust.Value;
}
