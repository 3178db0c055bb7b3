using System.Security.Cryptography;
using L4Balancer.Fuzz.Targets;

namespace L4Balancer.Fuzz.Runs;

/// <summary>Inputs that were findings once: one folder for each target, one file for each input, named by its hash.</summary>
internal static class CaseFolder
{
    public static string Repository { get; } = FindRepository();

    public static string Root => Path.Combine(Repository, "tests", "L4Balancer.Fuzz", "Cases");

    public static IEnumerable<string> Of(FuzzTarget target)
    {
        string folder = Path.Combine(Root, target.Name);
        return Directory.Exists(folder) ? Directory.GetFiles(folder).Order(StringComparer.Ordinal) : [];
    }

    /// <returns>The path of the case.</returns>
    public static string Add(FuzzTarget target, byte[] bytes)
    {
        string folder = Directory.CreateDirectory(Path.Combine(Root, target.Name)).FullName;
        string path = Path.Combine(folder, Convert.ToHexStringLower(SHA256.HashData(bytes))[..16]);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    private static string FindRepository()
    {
        DirectoryInfo? at = new(AppContext.BaseDirectory);
        while (at is not null && !File.Exists(Path.Combine(at.FullName, "L4Balancer.sln")))
        {
            at = at.Parent;
        }

        return at?.FullName ?? throw new InvalidOperationException($"{AppContext.BaseDirectory} is in no checkout of the repository");
    }
}
