namespace L4Balancer.Core.Addressing;

/// <summary>
/// Hashes addresses with a key that an attacker does not know. The hash of <see cref="HostAddress"/> itself has no seed: the owner of an IPv6 /32 could choose
/// tens of thousands of networks that fall into one bucket of a table of clients, so that each look-up walks all of them. Immutable; any thread.
/// </summary>
/// <param name="seed">Drawn by the process.</param>
public sealed class SeededAddressHash(ulong seed) : IEqualityComparer<HostAddress>
{
    // Odd 64-bit constants (the golden ratio, and one of wyhash), so that both keys have bits over their whole width.
    private readonly ulong _keyHigh = (seed + 1) * 0x9E37_79B9_7F4A_7C15;
    private readonly ulong _keyLow = (seed ^ (seed >> 32)) * 0xE703_7ED1_A0B4_28DB ^ 0x8EBC_6AF0_9C88_C6E3;

    public bool Equals(HostAddress x, HostAddress y) => x == y;

    public int GetHashCode(HostAddress address) => address.HashWith(_keyHigh, _keyLow);
}
