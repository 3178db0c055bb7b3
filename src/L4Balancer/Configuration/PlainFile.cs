using L4Balancer.Engine.Linux;

namespace L4Balancer.Configuration;

/// <summary>
/// Files that the configuration names must be regular files, or links to one: opening a pipe waits for its writer, and a device may never end.
/// </summary>
internal static class PlainFile
{
    private const int FirstChunk = 4096;

    /// <summary>Opens nothing. A network file system may block it, so that callers run on a thread that may block.</summary>
    /// <returns>Why the file must not be opened; null for a regular file, and for what open(2) reports by itself: no file, a directory.</returns>
    public static string? WhyNot(string path) =>
        OperatingSystem.IsLinux() && FileStamp.Of(path) is { IsRegular: false, IsDirectory: false }
            ? "it is a pipe, a socket or a device: specify a regular file" : null;

    /// <summary>Reads the whole file, as a check.</summary>
    /// <param name="most">The largest size that is accepted, in bytes.</param>
    /// <returns>Why it cannot be read, with how to correct it; null if it can.</returns>
    public static string? WhyUnreadable(string path, int most)
    {
        try
        {
            _ = Read(path, most);
            return null;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return $"\"{path}\": no such file";
        }
        catch (UnauthorizedAccessException)
        {
            string hint = Directory.Exists(path) ? "it is a directory: specify the file in it" : $"give the user {Environment.UserName} read permission";
            return $"\"{path}\" cannot be read: {hint}";
        }
        catch (IOException e)
        {
            return $"\"{path}\" cannot be read: {e.Message}";
        }
    }

    /// <summary>Reads the whole file.</summary>
    /// <param name="most">The largest size that is accepted, in bytes.</param>
    /// <exception cref="IOException">It cannot be read, is larger, or is no regular file; the message says which.</exception>
    /// <exception cref="UnauthorizedAccessException">No permission, or it is a directory.</exception>
    public static byte[] Read(string path, int most)
    {
        if (WhyNot(path) is string reason)
        {
            throw new IOException(reason);
        }

        using FileStream file = File.OpenRead(path);
        using var all = new MemoryStream();
        var chunk = new byte[FirstChunk];
        for (int count = file.Read(chunk); count > 0; count = file.Read(chunk))
        {
            all.Write(chunk, 0, count);
            if (all.Length > most)
            {
                throw new IOException($"it is larger than {most / 1024} KiB");
            }
        }

        return all.ToArray();
    }
}
