using System.Collections.Immutable;

namespace L4Balancer.Configuration;

/// <summary>
/// Identifies a configuration of several files as it was before it was read: with another file among them, one fewer, or one that was changed since, it is
/// another one. Immutable; any thread.
/// </summary>
/// <param name="path">The main file.</param>
/// <param name="patterns">Its patterns of <c>include</c>.</param>
internal sealed class ConfigStamp(
    string path, ImmutableArray<string> patterns, object? main, ImmutableArray<KeyValuePair<string, object?>> files) : IEquatable<ConfigStamp>
{
    /// <summary>The stamp of the same files as they are now; null if the main file is gone. Reads no file.</summary>
    public ConfigStamp? Again()
    {
        if (ConfigFile.StampOf(path) is not object now)
        {
            return null;
        }

        var seen = new HashSet<string>(StringComparer.Ordinal);
        ImmutableArray<KeyValuePair<string, object?>>.Builder found = ImmutableArray.CreateBuilder<KeyValuePair<string, object?>>();
        foreach (string pattern in patterns)
        {
            _ = IncludedConfig.Find(path, pattern, out string[] paths);
            foreach (string file in paths.Where(p => seen.Add(Path.GetFullPath(p))))
            {
                found.Add(new(file, ConfigFile.StampOf(file)));
            }
        }

        return new ConfigStamp(path, patterns, now, found.ToImmutable());
    }

    public bool Equals(ConfigStamp? other) => other is not null && Equals(main, other.Main) && files.SequenceEqual(other.Files);

    public override bool Equals(object? obj) => Equals(obj as ConfigStamp);

    public override int GetHashCode() => HashCode.Combine(main, files.Length);

    private object? Main => main;

    private ImmutableArray<KeyValuePair<string, object?>> Files => files;
}
