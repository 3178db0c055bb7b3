using System.Buffers;

namespace L4Balancer.Core.Inspection;

/// <summary>
/// The value of a Host field, or the authority of a request target: a host and perhaps a port (RFC 9110, 7.2; RFC 3986, 3.2).
/// </summary>
internal static class HostField
{
    private const int LongestPort = 5;

    // reg-name (RFC 3986, 3.2.2) and bytes above ASCII. Neither "@" (user information, RFC 9110, 4.2.4), nor anything that separates.
    private static readonly SearchValues<byte> RegName = SearchValues.Create(
    [
        .. "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%!$&'()*+;="u8,
        .. Enumerable.Range(0x80, 0x80).Select(c => (byte)c),
    ]);

    /// <param name="value">Without surrounding white space.</param>
    /// <param name="host">
    /// Without port and without one trailing dot, its case as sent; an IPv6 address keeps its brackets. Empty if the value is empty.
    /// </param>
    /// <returns>False if it is malformed.</returns>
    public static bool TryParse(ReadOnlySpan<byte> value, out ReadOnlySpan<byte> host)
    {
        host = default;
        bool isBracketed = value.StartsWith("["u8);
        int length = isBracketed ? value.IndexOf((byte)']') + 1 : value.IndexOf((byte)':');
        length = length < 0 ? value.Length : length;
        ReadOnlySpan<byte> name = value[..length];
        if (isBracketed ? length == 0 || !AddressParser.TryParseV6(name[1..^1], out _) : name.ContainsAnyExcept(RegName))
        {
            return false;
        }

        ReadOnlySpan<byte> port = value[length..];
        if (!port.IsEmpty
            && (port[0] != (byte)':' || port.Length > 1 + LongestPort || port[1..].ContainsAnyExceptInRange((byte)'0', (byte)'9')))
        {
            return false;
        }

        host = name is [.. var rest, (byte)'.'] ? rest : name;
        return true;
    }
}
