using L4Balancer.Core.Addressing;

namespace L4Balancer.Engine;

/// <summary>A listener that could not be bound.</summary>
/// <param name="Message">What is wrong and how to mend it, one line.</param>
public sealed record ListenFailure(string Listener, Endpoint Endpoint, string Message);
