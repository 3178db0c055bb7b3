using L4Balancer.Core.Config;
using L4Balancer.Stores;

namespace L4Balancer.Discovery;

/// <summary>The part of <c>[pools.discovery]</c> that says how a store is reached.</summary>
internal static class DiscoveryAccess
{
    public static StoreAccess Of(DiscoverySettings settings) => new()
    {
        TokenFile = settings.TokenFile,
        CaFile = settings.CaFile,
        CertFile = settings.CertFile,
        KeyFile = settings.KeyFile,
        User = settings.User,
        PasswordFile = settings.PasswordFile,
    };
}
