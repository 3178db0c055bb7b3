using System.Text.Json;

namespace L4Balancer.Core.Tests.Inspection;

/// <summary>
/// The samples of clienthello/manifest.jsonl, whichever of them are there: what clients send first, and what others read in it.
/// </summary>
internal static class HelloSamples
{
    private const string Folder = "clienthello";
    private const string Manifest = "manifest.jsonl";

    /// <param name="Name">What nginx and HAProxy agree on, one char for each byte: "" is no name, null that they disagree.</param>
    /// <param name="Alpn">What nginx reads, separated by commas; null if it is not known.</param>
    internal sealed record Sample(string File, string Kind, byte[] Bytes, string? Name, string? Alpn)
    {
        public override string ToString() => File;
    }

    public static string WhyMissing => TestData.Missing($"{Folder}/{Manifest}");

    /// <summary>None where the data is absent.</summary>
    public static Sample[] All()
    {
        string? root = TestData.Find(Folder);
        return root is null || !File.Exists(Path.Combine(root, Manifest))
            ? []
            : [.. File.ReadLines(Path.Combine(root, Manifest)).Where(l => l.Length > 0).Select(line => Read(root, line))];
    }

    /// <summary>The samples, or a test that is ignored.</summary>
    public static Sample[] Required()
    {
        Sample[] samples = All();
        if (samples.Length == 0) Assert.Ignore(WhyMissing);
        return samples;
    }

    private static Sample Read(string root, string line)
    {
        using JsonDocument json = JsonDocument.Parse(line);
        JsonElement entry = json.RootElement;
        string file = entry.GetProperty("file").GetString()!;
        string? nginx = entry.GetProperty("nginx_sni").GetString();
        string? haproxy = entry.GetProperty("haproxy_sni").GetString();
        string[]? fields = entry.GetProperty("nginx").GetString()?.Split("]|[");
        return new Sample(
            file,
            entry.GetProperty("kind").GetString()!,
            File.ReadAllBytes(Path.Combine(root, file)),
            nginx == haproxy ? nginx : null,
            fields?.Length == 3 ? fields[1] : null);
    }
}
