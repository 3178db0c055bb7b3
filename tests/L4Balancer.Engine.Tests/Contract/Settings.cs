using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>Configurations built in code, one listener and one pool each; a test changes what it is about with <c>with</c>.</summary>
internal static class Settings
{
    public static PoolSettings Pool(params TestBackend[] backends) => new()
    {
        Name = "pool",
        Health = new HealthSettings { Type = HealthType.None },
        Backends = [.. backends.Select((b, i) => Backend(b, $"b{i}"))],
    };

    public static BackendSettings Backend(TestBackend backend, string name) =>
        new() { Name = name, Address = backend.Endpoint.ToString(), Endpoint = backend.Endpoint };

    public static ListenerSettings Listener(params string[] addresses) => new()
    {
        Name = "listener",
        Bind = [.. addresses.Select(Endpoint)],
        Pool = "pool",
    };

    public static BalancerConfig Config(PoolSettings pool, params ListenerSettings[] listeners) =>
        new() { Listeners = [.. listeners], Pools = [pool] };

    public static Endpoint Endpoint(string text) =>
        Core.Addressing.Endpoint.TryParse(text, out Endpoint endpoint) ? endpoint : throw new FormatException(text);

    public static Endpoint Unix(string path) =>
        Core.Addressing.Endpoint.TryParseUnix($"unix:{path}", out Endpoint endpoint) ? endpoint : throw new FormatException(path);

    public static HostAddress Address(string text) =>
        HostAddress.TryParse(text, out HostAddress address) ? address : throw new FormatException(text);
}
