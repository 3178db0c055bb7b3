using System.Collections.Immutable;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Routing;

/// <summary>The result of resolving one host name.</summary>
/// <param name="Addresses">From the last successful look-up; empty if there was none.</param>
/// <param name="Fault">Why the latest look-up failed, in a few words; empty if it succeeded.</param>
public sealed record NameAnswer(ImmutableArray<HostAddress> Addresses, string Fault)
{
    /// <summary>There is no answer yet.</summary>
    public static NameAnswer Awaited { get; } = new([], "no answer yet");
}
