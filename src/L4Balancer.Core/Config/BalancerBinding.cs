using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Config;

/// <summary><c>[balancer]</c> and <c>[metrics]</c>.</summary>
internal static class BalancerBinding
{
    private static readonly BalancerSettings Defaults = new();

    public static BalancerSettings Bind(TableBinder table) => new()
    {
        Workers = table.Integer("workers", Defaults.Workers, 0, 1024),
        Engine = table.Choice("engine", Defaults.Engine, Vocabulary.Engine),
        MaxConnections = table.Integer("max_connections", Defaults.MaxConnections, 0, int.MaxValue),
        ShutdownGrace = table.Duration("shutdown_grace", Defaults.ShutdownGrace, TimeSpan.Zero, Duration.Longest),
        AccessLog = table.Choice("access_log", Defaults.AccessLog, Vocabulary.AccessLog),
        LogFormat = table.Choice("log_format", Defaults.LogFormat, Vocabulary.LogFormat),
        LogLevel = table.Choice("log_level", Defaults.LogLevel, Vocabulary.LogLevel),
    };

    public static MetricsSettings BindMetrics(TableBinder table, BoundAddresses bound)
    {
        MetricsSettings metrics = new();
        if (!table.TryGet("listen", out Setting listen))
        {
            bound.Add(metrics.Listen, table.Whole);
        }
        else if (listen.TryEndpoint(0, out Endpoint endpoint))
        {
            metrics = metrics with { Listen = endpoint };
            bound.Add(endpoint, listen);
        }

        return metrics;
    }
}
