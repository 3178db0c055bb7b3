using System.Diagnostics.Metrics;

namespace L4Balancer.Metrics;

/// <summary>A meter whose instruments report a limited number of members (backends, listeners, sources).</summary>
internal abstract class SeriesGroup(string meterName, int ordinal, int room) : IDisposable
{
    private Meter? _meter;

    /// <summary>How many members ever it has places for.</summary>
    public int Room { get; } = room;

    /// <summary>The version distinguishes two groups that exist at the same time; no exporter in use here shows it as a label.</summary>
    public Meter Meter => _meter ??= new Meter(new MeterOptions(meterName) { Version = $"{ordinal}", Scope = this });

    public void Dispose() => _meter?.Dispose();
}

/// <summary>Members of one kind.</summary>
internal sealed class SeriesGroup<T>(string meterName, int ordinal, int room) : SeriesGroup(meterName, ordinal, room)
{
    /// <summary>Those that are reported now.</summary>
    public List<T> Members { get; } = [];

    /// <summary>How many places are used, also by members that are gone.</summary>
    public int Taken { get; set; }
}
