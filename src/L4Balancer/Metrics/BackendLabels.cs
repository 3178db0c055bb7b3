using System.Diagnostics.Metrics;
using L4Balancer.Core.Routing;

namespace L4Balancer.Metrics;

/// <summary>The labels that every series of a backend carries.</summary>
internal static class BackendLabels
{
    public static KeyValuePair<string, object?> Pool(Backend backend) => new(MetricNames.Pool, backend.Cell.Pool);

    public static KeyValuePair<string, object?> Name(Backend backend) => new(MetricNames.Backend, backend.Name);

    public static Measurement<long> Measure(long value, Backend backend, string label, string labelValue) =>
        new(value, Pool(backend), Name(backend), new KeyValuePair<string, object?>(label, labelValue));
}
