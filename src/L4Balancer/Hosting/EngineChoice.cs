using L4Balancer.Core.Config;
using L4Balancer.Engine;
using L4Balancer.Engine.Epoll;
using L4Balancer.Engine.Managed;

namespace L4Balancer.Hosting;

/// <summary>Creates the engine that the configuration's <c>engine</c> names.</summary>
internal static class EngineChoice
{
    /// <summary>The engine that <c>auto</c> selects on this machine.</summary>
    public static EngineKind Auto => OperatingSystem.IsLinux() ? EngineKind.Epoll : EngineKind.Managed;

    /// <summary>The name as in the configuration; for <c>auto</c>, the engine selected here.</summary>
    public static string NameOf(EngineKind kind) => Resolve(kind) == EngineKind.Epoll ? "epoll" : "managed";

    public static IEngine Create(EngineKind kind, EngineOptions options) =>
        Resolve(kind) == EngineKind.Epoll ? new EpollEngine(options) : new ManagedEngine(options);

    private static EngineKind Resolve(EngineKind kind) => kind == EngineKind.Auto ? Auto : kind;
}
