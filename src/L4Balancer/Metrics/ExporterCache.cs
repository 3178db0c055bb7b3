using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using OpenTelemetry.Metrics;

namespace L4Balancer.Metrics;

/// <summary>
/// The Prometheus exporter (1.20.1-beta.1) keeps the names of up to 1,024 metrics in a dictionary whose keys are the metrics
/// themselves, with all of their series, and never removes one. Where metrics end with their meters, that is a leak of up to hundreds of
/// megabytes, and there is no public way to empty it. Where a later version has other names, this does nothing;
/// <c>MetricsMemoryTests</c> fails then, and the dependency attributes are errors of the native build.
/// </summary>
internal static class ExporterCache
{
    private const string Manager = "OpenTelemetry.Exporter.Prometheus.PrometheusCollectionManager";
    private const string Exporter = "OpenTelemetry.Exporter.Prometheus.PrometheusExporter";
    private const string AspNetCore = "OpenTelemetry.Exporter.Prometheus.AspNetCore";

    private const BindingFlags Any = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;

    /// <summary>To be called while this provider collects: nothing else reads the dictionary then.</summary>
    [DynamicDependency("Reader", "OpenTelemetry.Metrics.MeterProviderSdk", "OpenTelemetry")]
    [DynamicDependency("Exporter", typeof(BaseExportingMetricReader))]
    [DynamicDependency("CollectionManager", Exporter, AspNetCore)]
    [DynamicDependency("metricsCache", Manager, AspNetCore)]
    [DynamicDependency("metricsCacheCount", Manager, AspNetCore)]
    public static void Clear(MeterProvider provider)
    {
        if (Property(Property(Property(provider, "Reader"), "Exporter"), "CollectionManager") is object manager
            && Field(manager, "metricsCache") is { } cache && Field(manager, "metricsCacheCount") is { } count)
        {
            ((IDictionary)cache.GetValue(manager)!).Clear();
            count.SetValue(manager, 0);
        }
    }

    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = "The attributes of Clear keep what is looked for.")]
    private static object? Property(object? of, string name) => of?.GetType().GetProperty(name, Any)?.GetValue(of);

    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = "The attributes of Clear keep what is looked for.")]
    private static FieldInfo? Field(object of, string name) => of.GetType().GetField(name, Any);
}
