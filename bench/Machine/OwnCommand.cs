using System.Runtime.InteropServices;

namespace L4Balancer.Bench.Machine;

/// <summary>How this program is started again, as a child.</summary>
internal static class OwnCommand
{
    public static IReadOnlyList<string> Line { get; } =
        Path.GetFileNameWithoutExtension(Environment.ProcessPath!) == "dotnet"
            ? [Environment.ProcessPath!, "exec", typeof(OwnCommand).Assembly.Location]
            : [Environment.ProcessPath!];

    /// <summary>The directory that holds the shared runtimes: three above this one's own.</summary>
    public static string RuntimeRoot { get; } = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));

    /// <summary>The top of the repository that this was built in.</summary>
    public static string Repository { get; } = FindRepository();

    private static string FindRepository()
    {
        DirectoryInfo? directory = new(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "L4Balancer.sln")))
        {
            directory = directory.Parent;
        }

        return directory?.FullName ?? throw new InvalidOperationException("the bench runs only inside the repository");
    }
}
