using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Config;

/// <summary>
/// A file that the configuration refers to and whose content is part of it. The caller reads it, because Core opens no files.
/// </summary>
/// <param name="Key">The key that refers to it, <c>pools[0].health.ca_file</c>.</param>
/// <param name="Position">Position of the file name in the text.</param>
public sealed record NamedFile(string Path, string Key, TomlPosition Position);
