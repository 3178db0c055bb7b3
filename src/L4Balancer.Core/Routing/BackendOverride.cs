namespace L4Balancer.Core.Routing;

/// <summary>Values that an operator set for one backend at run time; they take precedence over the file.</summary>
/// <param name="Weight">Null: the file's weight applies.</param>
public readonly record struct BackendOverride(BackendMode Mode, int? Weight)
{
    /// <summary>Nothing is set.</summary>
    public bool IsEmpty => Mode == BackendMode.Ready && Weight is null;
}
