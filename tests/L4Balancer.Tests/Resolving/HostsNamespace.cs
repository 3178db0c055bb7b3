using System.Diagnostics;

namespace L4Balancer.Tests.Resolving;

/// <summary>
/// A file of the test's own in the place of /etc/hosts, for one process and its mount namespace (mount_namespaces(7)): the system's
/// resolver then says what the test wants.
/// </summary>
internal sealed class HostsNamespace : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("l4b-");

    public HostsNamespace()
    {
        Say();
        using Process? tried = OperatingSystem.IsLinux() ? Process.Start(new ProcessStartInfo(Wrapper[0], [.. Wrapper[1..], "true"]) { RedirectStandardError = true }) : null;
        tried?.WaitForExit();
        if (tried?.ExitCode != 0)
        {
            Assert.Ignore($"No mount namespace with an /etc/hosts of its own can be made here: {tried?.StandardError.ReadToEnd().Trim()}");
        }
    }

    /// <summary>For <see cref="DaemonProcess.Start(IReadOnlyDictionary{string, string}, string[], string[])"/>.</summary>
    public string[] Wrapper =>
    [
        "unshare", Environment.IsPrivilegedProcess ? "-m" : "-rm", "sh", "-c", $"mount --bind {_folder.FullName}/hosts /etc/hosts && exec \"$@\"", "sh",
    ];

    /// <summary>What the host names stand for from now on, one line of hosts(5) each. Written in place: the mount is of this very file.</summary>
    public void Say(params string[] lines) => File.WriteAllLines(Path.Combine(_folder.FullName, "hosts"), ["127.0.0.1 localhost", .. lines]);

    public void Dispose() => _folder.Delete(recursive: true);
}
