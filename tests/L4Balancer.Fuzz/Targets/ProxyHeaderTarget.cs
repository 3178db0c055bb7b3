using System.Text;
using L4Balancer.Core.Inspection;

namespace L4Balancer.Fuzz.Targets;

/// <summary>PROXY headers of both versions: whole, arriving in parts, followed by payload, and written again.</summary>
internal sealed class ProxyHeaderTarget : FuzzTarget
{
    public override string Name => "proxyheader";

    public override IReadOnlyList<byte[]> Fragments { get; } =
    [
        [.. "\r\n\r\n\0\r\nQUIT\n"u8], [0x20], [0x21], [0x11], [0x21, 0x21], [0x31], [0, 12], [0, 36], [1, 0, 2], [2, 0, 1], [3, 0, 4], [4, 0, 0], [5, 0, 128],
        .. Texts.Of("PROXY ", "TCP4 ", "TCP6 ", "UNKNOWN", "\r\n", "\n", " ", "1.2.3.4", "::1", "::ffff:1.2.3.4", "65535", "65536", "0", "00"),
    ];

    public override IEnumerable<byte[]> Seeds()
    {
        var written = new byte[ProxyHeaderWriter.LongestV2(6, 2, 2)];
        int length = ProxyHeaderWriter.WriteV2(Keys.Client, "a.test"u8, "h2"u8, "id"u8, written);
        return
        [
            written[..length],
            [.. written[..length], 2, 0, 1, 65],
            .. Texts.Of(
                "PROXY TCP4 192.0.2.1 198.51.100.1 51234 443\r\nGET / HTTP/1.1\r\n", "PROXY TCP6 2001:db8::1 ::ffff:1.2.3.4 65535 1\r\n",
                "PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n"),
            .. SampleFiles.ProxyHeaders(2000),
        ];
    }

    public override bool Run(byte[] bytes)
    {
        InspectionResult result = Arrival.Check(bytes, ProxyHeader.Longest, Parse);
        if (result.Outcome != InspectionOutcome.Parsed)
        {
            return false;
        }

        ProxyHeader.TryParse(bytes, out ProxyHeader header);
        string said = Parse(bytes).Said;
        Arrived alone = Parse(bytes.AsSpan(0, header.Length));
        Finding.Unless(alone == new Arrived(result, said), $"{alone} without what follows, {said} with it");
        CheckRoundTrip(header);
        return true;
    }

    private static Arrived Parse(ReadOnlySpan<byte> received)
    {
        InspectionResult result = ProxyHeader.TryParse(received, out ProxyHeader header);
        if (result.Outcome != InspectionOutcome.Parsed)
        {
            return new Arrived(result, "");
        }

        Finding.Unless(header.Length > 0 && header.Length <= Math.Min(received.Length, ProxyHeader.Longest), $"a header of {header.Length} bytes");
        Finding.Unless(header.Version is 1 or 2, $"version {header.Version}");
        ProxyTlvs values = header.Values;
        return new Arrived(
            result, $"{header.Version} {header.Length} {header.Addresses} {Text(values.Authority)} {Text(values.Alpn)} {Text(values.UniqueId)}");
    }

    // What was read can be written, and is read from that again.
    private static void CheckRoundTrip(ProxyHeader header)
    {
        ProxyTlvs values = header.Values;
        int length = ProxyHeaderWriter.LongestV2(values.Authority.Length, values.Alpn.Length, values.UniqueId.Length);
        if (header.Addresses is not { } client || length > ProxyHeader.Longest)
        {
            return;
        }

        var written = new byte[length];
        length = ProxyHeaderWriter.WriteV2(client, values.Authority, values.Alpn, values.UniqueId, written);
        InspectionResult result = ProxyHeader.TryParse(written.AsSpan(0, length), out ProxyHeader again);
        Finding.Unless(
            result.Outcome == InspectionOutcome.Parsed && again.Length == length && again.Addresses == client
            && again.Values.Authority.SequenceEqual(values.Authority) && again.Values.Alpn.SequenceEqual(values.Alpn)
            && again.Values.UniqueId.SequenceEqual(values.UniqueId),
            $"{client} is written as {Convert.ToHexString(written, 0, length)}");
    }

    private static string Text(ReadOnlySpan<byte> bytes) => Encoding.Latin1.GetString(bytes);
}
