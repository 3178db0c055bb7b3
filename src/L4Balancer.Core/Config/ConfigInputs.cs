using System.Collections.Immutable;

namespace L4Balancer.Core.Config;

/// <summary>What a configuration takes from outside of its text: the caller provides it, because Core has no environment and opens no files.</summary>
public sealed record ConfigInputs
{
    /// <summary>The path of the main file, as messages show it; used where files are included.</summary>
    public string Path { get; init; } = "";

    /// <summary>The value of an environment variable; null if it is not set.</summary>
    public Func<string, string?> Variable { get; init; } = static _ => null;

    /// <summary>Reads the files that a pattern of <c>include</c> names, in the order of their names. Must not throw.</summary>
    public Func<string, IncludedFiles> Include { get; init; } = static _ => new IncludedFiles([], "files cannot be included here");
}

/// <summary>The files of one pattern.</summary>
/// <param name="Fault">Why they could not be read, with how to correct it; null if they could.</param>
public sealed record IncludedFiles(ImmutableArray<IncludedFile> Files, string? Fault);

/// <summary>One included file.</summary>
/// <param name="Path">As messages show it.</param>
public sealed record IncludedFile(string Path, ReadOnlyMemory<byte> Text);
