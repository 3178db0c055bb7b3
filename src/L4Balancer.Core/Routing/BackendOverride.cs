namespace L4Balancer.Core.Routing;

/// <summary>What an operator set for one backend at run time, beside the file.</summary>
/// <param name="Weight">Null: the file's.</param>
public readonly record struct BackendOverride(BackendMode Mode, int? Weight)
{
    /// <summary>Nothing is set.</summary>
    public bool IsEmpty => Mode == BackendMode.Ready && Weight is null;
}
