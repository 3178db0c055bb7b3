using System.Collections.Immutable;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Routing;

/// <summary>What is known of one host name.</summary>
/// <param name="Addresses">Of the last look-up that was answered; empty where none ever was.</param>
/// <param name="Fault">Why the latest look-up failed, in a few words; empty where it did not.</param>
public sealed record NameAnswer(ImmutableArray<HostAddress> Addresses, string Fault)
{
    /// <summary>Nobody has answered yet.</summary>
    public static NameAnswer Awaited { get; } = new([], "no answer yet");
}
