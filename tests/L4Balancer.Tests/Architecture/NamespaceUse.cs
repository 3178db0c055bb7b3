namespace L4Balancer.Tests.Architecture;

/// <summary>One namespace uses another, and the first pair of types seen to do so.</summary>
internal sealed record NamespaceUse(string From, string To, string Example);
