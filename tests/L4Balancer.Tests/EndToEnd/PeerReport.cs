using System.Text.Json;

namespace L4Balancer.Tests.EndToEnd;

/// <summary>What a foreign client saw; the scripts say how it is printed.</summary>
/// <param name="Seen">Connections by backend and certificate, as <c>NAME FINGERPRINT</c>.</param>
/// <param name="Bytes">Echoed and found equal.</param>
/// <param name="Pongs">Pings or heartbeats that were answered.</param>
internal sealed record PeerReport(IReadOnlyDictionary<string, int> Seen, long Bytes, int Pongs)
{
    private static readonly JsonSerializerOptions Format = new(JsonSerializerDefaults.Web);

    public static PeerReport Parse(string line) => JsonSerializer.Deserialize<PeerReport>(line, Format)!;
}
