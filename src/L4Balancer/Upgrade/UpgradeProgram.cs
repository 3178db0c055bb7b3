using L4Balancer.Engine.Linux;

namespace L4Balancer.Upgrade;

/// <summary>
/// The program that a new process is started from: the file that this daemon was started from, read anew at each upgrade, so that what a package
/// manager has put in its place is what runs.
/// </summary>
/// <param name="File">Its path.</param>
/// <param name="First">Arguments before those of l4balancer: the assembly, where the runtime is a program of its own.</param>
internal sealed record UpgradeProgram(string File, IReadOnlyList<string> First)
{
    private const string Deleted = " (deleted)";

    // Kept from the first call: what the kernel says of a file that was replaced later is " (deleted)".
    private static UpgradeProgram? _own;

    /// <summary>Of this process. The first call must come early, before the file can be replaced.</summary>
    public static UpgradeProgram Own => _own ??= Find();

    /// <summary>A file of the operator's choice.</summary>
    public static UpgradeProgram Of(string file) => new(file, []);

    /// <summary>Whether the file can be started, as far as that is known before.</summary>
    public string? WhyNot() => System.IO.File.Exists(File) ? null : $"{File}: there is no such file";

    private static UpgradeProgram Find()
    {
        string process = WithoutMark(Environment.ProcessPath ?? "");
        string[] arguments = Environment.GetCommandLineArgs();
        bool isHost = System.IO.Path.GetFileNameWithoutExtension(process) == "dotnet" && arguments is [string assembly, ..]
            && assembly.EndsWith(".dll", StringComparison.OrdinalIgnoreCase);
        return isHost ? new UpgradeProgram(process, [System.IO.Path.GetFullPath(arguments[0])]) : new UpgradeProgram(AsStarted(process, arguments), []);
    }

    // A link that named the file at the start may name another one by now, which is what the operator means.
    private static string AsStarted(string process, string[] arguments)
    {
        if (arguments is not [string name, ..] || !OperatingSystem.IsLinux())
        {
            return process;
        }

        IEnumerable<string> places = name.Contains('/', StringComparison.Ordinal)
            ? [System.IO.Path.GetFullPath(name)]
            : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Where(static f => f.StartsWith('/')).Select(f => System.IO.Path.Combine(f, name));
        FileStamp? own = FileStamp.Of("/proc/self/exe");
        foreach (string place in places)
        {
            if (own is not null && FileStamp.Of(place) == own)
            {
                return place;
            }
        }

        return process;
    }

    internal static string WithoutMark(string path) =>
        path.EndsWith(Deleted, StringComparison.Ordinal) && !System.IO.File.Exists(path) ? path[..^Deleted.Length] : path;
}
