using System.Collections.Immutable;
using System.IO.Enumeration;
using L4Balancer.Core.Config;

namespace L4Balancer.Configuration;

/// <summary>
/// Reads the files that <c>include</c> names. A pattern is relative to the folder of the main file; <c>*</c> and <c>?</c> may stand in its last part. Its files
/// come in the order of their names, byte by byte; those whose name begins with a dot are left out, as a shell does, and so are the main file and a file that
/// an earlier pattern has named.
/// </summary>
/// <param name="mainPath">The main file.</param>
/// <param name="size">Its size in bytes: together with all others it has the maximum of one.</param>
internal sealed class IncludedConfig(string mainPath, long size)
{
    private const int MostFiles = 1_000;

    private readonly List<string> _patterns = [];
    private readonly HashSet<string> _read = new(StringComparer.Ordinal);
    private readonly List<KeyValuePair<string, object?>> _stamps = [];
    private long _left = ConfigReader.LargestText - size;

    /// <summary>Blocks as long as the file system does. Does not throw.</summary>
    public IncludedFiles Read(string pattern)
    {
        _patterns.Add(pattern);
        if (Find(mainPath, pattern, out string[] paths) is string fault)
        {
            return new IncludedFiles([], fault);
        }

        // Also of those that are not read because one before them cannot be: Again looks at all.
        string[] added = [.. paths.Where(p => _read.Add(Path.GetFullPath(p)))];
        _stamps.AddRange(added.Select(static p => KeyValuePair.Create(p, ConfigFile.StampOf(p))));
        if (_read.Count > MostFiles)
        {
            return new IncludedFiles([], $"names more than {MostFiles} files: put several into one");
        }

        ImmutableArray<IncludedFile>.Builder files = ImmutableArray.CreateBuilder<IncludedFile>(added.Length);
        foreach (string path in added)
        {
            if (ConfigFile.Read(path, _left, "name another, or create this one", out byte[] text) is string unread)
            {
                return new IncludedFiles(files.ToImmutable(), $"{path}: {unread}");
            }

            _left -= text.Length;
            files.Add(new IncludedFile(path, text));
        }

        return new IncludedFiles(files.ToImmutable(), null);
    }

    /// <summary>A stamp of all files as they were before they were read.</summary>
    /// <param name="main">That of the main file.</param>
    public ConfigStamp StampBefore(object? main) => new(mainPath, [.. _patterns], main, [.. _stamps]);

    /// <returns>Why there is none, with how to correct it; null if there are some, or a pattern with <c>*</c> or <c>?</c> fits none.</returns>
    internal static string? Find(string mainPath, string pattern, out string[] paths)
    {
        paths = [];
        if (pattern.Contains('\0', StringComparison.Ordinal))
        {
            return "has a character U+0000, which no file name can have";
        }

        string main = Path.GetFullPath(mainPath);
        string folder = Path.GetDirectoryName(main) ?? "/";
        string whole = Path.Combine(folder, pattern);
        string name = Path.GetFileName(whole);
        string within = Path.GetDirectoryName(whole) ?? "/";
        if (within.AsSpan().ContainsAny('*', '?'))
        {
            return "has * or ? in the name of a folder; only the name of the file may have them";
        }

        if (!name.AsSpan().ContainsAny('*', '?'))
        {
            if (Path.GetFullPath(whole) == main)
            {
                return "is the main file itself; leave it out";
            }

            paths = [whole];
            return null;
        }

        try
        {
            paths =
            [
                .. Directory.EnumerateFiles(within)
                    .Where(p => FileSystemName.MatchesSimpleExpression(name, Path.GetFileName(p), ignoreCase: false) && Path.GetFileName(p)[0] != '.')
                    .Where(p => Path.GetFullPath(p) != main)
                    .Order(StringComparer.Ordinal),
            ];
            return null;
        }
        catch (DirectoryNotFoundException)
        {
            return $"there is no folder {within}: create it, or leave the pattern out";
        }
        catch (UnauthorizedAccessException)
        {
            return $"no permission to list {within}: give the user {Environment.UserName} read permission";
        }
        catch (IOException e)
        {
            return $"{within} cannot be listed: {e.Message}";
        }
    }
}
