namespace L4Balancer.Metrics;

/// <summary>What a family of series is, as both exposition formats call it.</summary>
internal enum FamilyType
{
    Counter,
    Gauge,
    Histogram,
}
