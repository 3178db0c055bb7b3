using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Config;

/// <summary>
/// A file that the configuration refers to and whose content is part of it. The caller reads it, because Core opens no files.
/// </summary>
/// <param name="Key">The key that refers to it, <c>pools[0].health.ca_file</c>.</param>
/// <param name="Position">Position of the file name in the text.</param>
public sealed record NamedFile(string Path, string Key, TomlPosition Position)
{
    public NamedFileKind Kind { get; init; }
}

/// <summary>What a <see cref="NamedFile"/> must hold.</summary>
public enum NamedFileKind
{
    /// <summary>At least one certificate in PEM.</summary>
    Certificates,

    /// <summary>A key, token or password: it must be readable, and its content is not kept, because it may change without a reload.</summary>
    Secret,
}
