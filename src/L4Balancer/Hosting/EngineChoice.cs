using L4Balancer.Core.Config;
using L4Balancer.Engine;
using L4Balancer.Engine.Epoll;
using L4Balancer.Engine.Managed;

namespace L4Balancer.Hosting;

/// <summary>From the configuration's <c>engine</c> to an engine.</summary>
internal static class EngineChoice
{
    /// <summary>What <c>auto</c> picks on this machine.</summary>
    public static EngineKind Auto => OperatingSystem.IsLinux() ? EngineKind.Epoll : EngineKind.Managed;

    /// <summary>As the configuration writes it; for <c>auto</c>, what that is here.</summary>
    public static string NameOf(EngineKind kind) => Resolve(kind) == EngineKind.Epoll ? "epoll" : "managed";

    public static IEngine Create(EngineKind kind, EngineOptions options) =>
        Resolve(kind) == EngineKind.Epoll ? new EpollEngine(options) : new ManagedEngine(options);

    private static EngineKind Resolve(EngineKind kind) => kind == EngineKind.Auto ? Auto : kind;
}
