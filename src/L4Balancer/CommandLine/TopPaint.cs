namespace L4Balancer.CommandLine;

/// <summary>How a part of a line is shown; without colour <see cref="Key"/> and <see cref="Sorted"/> are left.</summary>
internal enum TopTone
{
    Good,
    Warning,
    Bad,

    /// <summary>A key, or the view that is open.</summary>
    Key,

    /// <summary>The heading of the column that is sorted by.</summary>
    Sorted,
}

/// <summary>A part of a line that is shown in a tone. What lies beyond the end of the line does not count.</summary>
internal readonly record struct TopPaint(int Line, int Start, int Length, TopTone Tone)
{
    /// <summary>The tone of a backend's state, or of the level of an event; null: plain.</summary>
    public static TopTone? ToneOf(string state) => state switch
    {
        "up" => TopTone.Good,
        "down" or "error" or "critical" => TopTone.Bad,
        "draining" or "maintenance" or "degraded" or "checking" or "warning" => TopTone.Warning,
        _ => null,
    };
}
