using System.Diagnostics.Metrics;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Dns;
using OpenTelemetry.Metrics;

namespace L4Balancer.Metrics;

/// <summary>How many series each instrument can have. The SDK asks when an instrument is created.</summary>
/// <param name="workers">Event loops of the process.</param>
/// <param name="pools">At the start. Their histograms stay as long as the process, because they add up in the SDK.</param>
internal sealed class SeriesLimits(int workers, int pools)
{
    /// <summary>Pools that reloads can bring over the life of the process, beside twice those of the start.</summary>
    private const int SparePools = 250;

    /// <summary>Reasons that can end an established connection; the others only end one that has no backend yet.</summary>
    private const int ReasonsPerBackend = 17;

    /// <summary>Event loops that processes before this one had, and this one has not.</summary>
    private const int WorkersBefore = 64;

    private const int ConnectFailuresPerBackend = 4;

    private const int StatesPerBackend = 7;

    private const int ResultsPerBackend = 3;

    private const int ResultsOfEndpoint = 3;

    /// <summary>Reasons for which packets are dropped, and room for more.</summary>
    private const int ReasonsOfPackets = 16;

    /// <summary>Series without labels, and the few results of reloads.</summary>
    private const int Few = 4;

    /// <summary>A view of the SDK.</summary>
    public MetricStreamConfiguration View(Instrument instrument) => new() { CardinalityLimit = Limit(instrument) };

    private int Limit(Instrument instrument) => instrument.Meter.Scope is SeriesGroup group
        ? group.Room * PerMember(instrument.Name)
        : instrument.Name switch
        {
            MetricNames.ConnectDuration or MetricNames.ConnectionDuration => SparePools + (2 * pools),
            MetricNames.WorkerConnections or MetricNames.WorkerBusyRatio or MetricNames.EventLoopStalls or MetricNames.SplicedBytes =>
                workers + WorkersBefore,
            MetricNames.PacketsDropped => ReasonsOfPackets,
            MetricNames.DnsAnswers => DnsCounters.Results.Length,
            _ => Few,
        };

    private static int PerMember(string name) => name switch
    {
        MetricNames.ConnectionsRefused => CloseReasons.Count,
        MetricNames.ConnectionsClosed => ReasonsPerBackend,
        MetricNames.ConnectionsShed => CloseReasons.Paced.Count,
        MetricNames.ConnectFailures => ConnectFailuresPerBackend,
        MetricNames.BackendState => StatesPerBackend,
        MetricNames.HealthChecks => ResultsPerBackend,
        MetricNames.EndpointAnswers => ResultsOfEndpoint,
        MetricNames.RelayedBytes => 2,
        _ => 1,
    };
}
