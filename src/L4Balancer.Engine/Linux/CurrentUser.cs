using System.Runtime.Versioning;

namespace L4Balancer.Engine.Linux;

/// <summary>The user that this process runs as.</summary>
[SupportedOSPlatform("linux")]
public static class CurrentUser
{
    /// <summary>Its effective user id (geteuid(2)).</summary>
    public static uint Id => Libc.geteuid();
}
