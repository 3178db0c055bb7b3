using L4Balancer.Engine.Epoll;
using L4Balancer.Engine.Loop;
using L4Balancer.Engine.Managed;

namespace L4Balancer.Engine.Tests.Ports;

/// <summary>Engines by the name that can be handed to another process.</summary>
internal static class EngineUnderTest
{
    public static IEngine Create(string name, EngineOptions options) => name switch
    {
        "epoll" => new EpollEngine(options),
        "managed" => new ManagedEngine(options),
        _ => throw new ArgumentException($"No engine is called {name}."),
    };
}
