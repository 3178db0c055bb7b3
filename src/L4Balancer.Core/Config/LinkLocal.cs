using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Config;

/// <summary>
/// Link-local IPv6 addresses (RFC 4291, 2.5.6): without their interface the kernel neither binds nor connects them (EINVAL), and addresses
/// are kept without one.
/// </summary>
internal static class LinkLocal
{
    private const string Mend = "use an address that is not link-local, like \"[2001:db8::1]:443\" or \"[fd00::1]:443\"";

    /// <summary>Whether the text is an IPv6 address with its interface: <c>fe80::1%eth0</c>, with or without brackets and a port.</summary>
    public static bool HasScope(string text)
    {
        int percent = text.IndexOf('%', StringComparison.Ordinal);
        return percent > 0 && text.Contains(':', StringComparison.Ordinal) && HostAddress.TryParse(text[..percent].TrimStart('['), out _);
    }

    /// <summary>Reports an address with an interface.</summary>
    public static bool RejectScope(Setting setting, string text) =>
        setting.Reject($"{Quoted.Text(text)} names an interface: scoped addresses (%eth0) are not supported; {Mend}");

    /// <summary>Reports a link-local address; other addresses pass.</summary>
    public static bool Check(Setting setting, string text, HostAddress address) => !address.IsLinkLocal6 || setting.Reject(
        $"{Quoted.Text(text)} is a link-local address, which needs its interface, and scoped addresses (%eth0) are not supported; {Mend}");
}
