using System.Text;

namespace L4Balancer.Core.Inspection;

/// <summary>Bytes of a client as text for people, in logs and listings, of a bounded length.</summary>
public static class ShownText
{
    private const string CutOff = "...";

    /// <summary>UTF-8; what is not valid becomes U+FFFD, and controls are left to the one who writes the text.</summary>
    /// <param name="most">The most bytes that are shown.</param>
    public static string Of(ReadOnlySpan<byte> bytes, int most) =>
        bytes.Length <= most ? Encoding.UTF8.GetString(bytes) : Encoding.UTF8.GetString(bytes[..most]) + CutOff;
}
