using System.Diagnostics.CodeAnalysis;

namespace L4Balancer.Core.Addressing;

/// <summary>
/// The paths of UNIX sockets by number, so that an <see cref="Endpoint"/> stays a small value. A path that a configuration has named is kept
/// until the process ends, as an interned string is. Any thread.
/// </summary>
internal static class UnixPaths
{
    /// <summary>The number of a peer without a path.</summary>
    public const int Unnamed = 1;

    /// <summary>sun_path of unix(7) has 108 bytes, one of which ends the path.</summary>
    public const int Longest = 107;

    private static readonly Lock Gate = new();
    private static readonly Dictionary<string, int> Numbers = new(StringComparer.Ordinal);
    private static volatile string[] _paths = ["", ""];

    /// <summary>
    /// Whether a path can be used: absolute, of visible ASCII characters other than <c>"</c> and <c>\</c>, so that it needs no escapes in logs,
    /// and short enough for the kernel.
    /// </summary>
    public static bool IsPath([NotNullWhen(true)] string? path) =>
        path is { Length: > 1 and <= Longest } && path[0] == '/' && path[^1] != '/' && IsNormal(path)
        && path.All(static c => c is > ' ' and < '\x7F' and not ('"' or '\\'));

    // "/run/./a" and "/run//a" are the file "/run/a" too: two spellings of one socket would not be seen to be the same.
    private static bool IsNormal(string path) => !path.Contains("//", StringComparison.Ordinal)
        && !path.Split('/').Any(static part => part is "." or "..");

    public static int NumberOf(string path)
    {
        lock (Gate)
        {
            if (!Numbers.TryGetValue(path, out int number))
            {
                number = _paths.Length;
                _paths = [.. _paths, path];
                Numbers.Add(path, number);
            }

            return number;
        }
    }

    public static string PathOf(int number) => _paths[number];
}
