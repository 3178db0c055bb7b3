using System.Diagnostics.Metrics;
using L4Balancer.Core.Accounting;
using OpenTelemetry.Metrics;

namespace L4Balancer.Metrics;

/// <summary>How many series each instrument can have. The SDK asks when an instrument is created.</summary>
internal static class SeriesLimits
{
    /// <summary>Pools that a process can have had: their histograms stay, because they add up in the SDK.</summary>
    public const int MostPools = 1000;

    /// <summary>Reasons that can end an established connection; the others only end one that has no backend yet.</summary>
    private const int ReasonsPerBackend = 14;

    private const int ConnectFailuresPerBackend = 4;

    private const int StatesPerBackend = 6;

    private const int ResultsPerBackend = 3;

    private const int MostWorkers = 1024;

    /// <summary>Series without labels, and the few results of reloads.</summary>
    private const int Few = 4;

    /// <summary>A view of the SDK.</summary>
    public static MetricStreamConfiguration View(Instrument instrument) => new() { CardinalityLimit = Limit(instrument) };

    private static int Limit(Instrument instrument) => instrument.Meter.Scope is SeriesGroup group
        ? group.Room * PerMember(instrument.Name)
        : instrument.Name switch
        {
            MetricNames.ConnectDuration or MetricNames.ConnectionDuration => MostPools,
            MetricNames.WorkerConnections or MetricNames.WorkerBusyRatio => MostWorkers,
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
        MetricNames.RelayedBytes => 2,
        _ => 1,
    };
}
