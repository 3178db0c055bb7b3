using System.Text.Json;
using L4Balancer.Core.Tests;

namespace L4Balancer.Fuzz.Targets;

/// <summary>Seeds from the test data; none where it is not there.</summary>
internal static class SampleFiles
{
    public static IEnumerable<byte[]> Hellos(int longest) => Files("clienthello", "*", longest).Where(static b => b is [22, ..]);

    public static IEnumerable<byte[]> Toml(int longest) => Files("toml-test", "*.toml", longest);

    public static IEnumerable<byte[]> ProxyHeaders(int longest) => Paths("proxy-protocol", "*.jsonl")
        .SelectMany(File.ReadLines)
        .Select(static line =>
        {
            using JsonDocument json = JsonDocument.Parse(line);
            return Convert.FromHexString(json.RootElement.GetProperty("hex").GetString()!);
        })
        .Where(bytes => bytes.Length <= longest);

    private static IEnumerable<byte[]> Files(string folder, string pattern, int longest) => Paths(folder, pattern)
        .Where(path => new FileInfo(path).Length <= longest)
        .Select(File.ReadAllBytes);

    // In an order that does not depend on the file system.
    private static string[] Paths(string folder, string pattern) => TestData.Find(folder) is { } root
        ? [.. Directory.GetFiles(root, pattern, SearchOption.AllDirectories).Order(StringComparer.Ordinal)]
        : [];
}
