using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Config;

/// <summary>A file that the configuration names and whose content belongs to it. Who reads configurations reads it too: Core opens none.</summary>
/// <param name="Key">The key that names it, <c>pools[0].health.ca_file</c>.</param>
/// <param name="Position">Where the name stands.</param>
public sealed record NamedFile(string Path, string Key, TomlPosition Position);
