using L4Balancer.Core.Config;
using L4Balancer.Engine;
using L4Balancer.Engine.Managed;

namespace L4Balancer.Hosting;

/// <summary>From the configuration's <c>engine</c> to an engine.</summary>
internal static class EngineChoice
{
    /// <summary>What <c>auto</c> picks on this machine.</summary>
    public const string Auto = "managed";

    public static IEngine Create(EngineKind kind, EngineOptions options) => kind switch
    {
        EngineKind.Auto or EngineKind.Managed => new ManagedEngine(options),
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "no such engine"),
    };
}
