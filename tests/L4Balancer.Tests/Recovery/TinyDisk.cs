using System.Diagnostics;

namespace L4Balancer.Tests.Recovery;

/// <summary>A file system in memory (tmpfs(5)) that has little room. It is to be disposed of before the folder around it is removed.</summary>
[System.Runtime.Versioning.SupportedOSPlatform("linux")]
internal sealed class TinyDisk : IDisposable
{
    private readonly string _path;

    private TinyDisk(string path) => _path = path;

    private string Filler => Path.Combine(_path, "filler");

    /// <summary>Makes the folder, and mounts it. Skips the test where that is not allowed.</summary>
    public static TinyDisk MountAt(string path)
    {
        Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        if (!Environment.IsPrivilegedProcess)
        {
            Assert.Ignore("only root can mount a file system");
        }

        if (Run("mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "none", path) is { Length: > 0 } fault)
        {
            Assert.Ignore($"no file system can be mounted here: {fault}");
        }

        return new TinyDisk(path);
    }

    /// <summary>Leaves not a byte.</summary>
    public void Fill()
    {
        using var filler = new FileStream(Filler, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        var block = new byte[4096];
        try
        {
            while (true)
            {
                filler.Write(block);
            }
        }
        catch (IOException)
        {
            // It is full.
        }
    }

    /// <summary>Makes room again.</summary>
    public void Free() => File.Delete(Filler);

    /// <summary>Processes that have files of it open keep them.</summary>
    public void Dispose() => Run("umount", "--lazy", _path);

    private static string Run(params string[] command)
    {
        using Process process = Process.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardError = true })!;
        string errors = process.StandardError.ReadToEnd().Trim();
        process.WaitForExit();
        return process.ExitCode == 0 ? "" : $"exit code {process.ExitCode}: {errors}";
    }
}
