namespace L4Balancer.Core.Tests;

/// <summary>
/// Finds the test data, which is not part of the repository: where <c>L4BALANCER_TEST_DATA</c> points, else <c>../shared/data</c> beside
/// the folder that holds <c>L4Balancer.sln</c>.
/// </summary>
internal static class TestData
{
    public const string Variable = "L4BALANCER_TEST_DATA";

    /// <summary>Why a test that needs <paramref name="folder"/> is skipped.</summary>
    public static string Missing(string folder) => $"no test data: neither {Variable} nor ../shared/data holds {folder}";

    /// <summary>The folder of that name, or null where it is not there.</summary>
    public static string? Find(string folder)
    {
        string? data = Environment.GetEnvironmentVariable(Variable);
        if (string.IsNullOrEmpty(data)) data = BesideRepository();
        if (data is null) return null;
        string path = Path.Combine(data, folder);
        return Directory.Exists(path) ? path : null;
    }

    private static string? BesideRepository()
    {
        for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (!File.Exists(Path.Combine(at.FullName, "L4Balancer.sln"))) continue;
            return Path.GetFullPath(Path.Combine(at.FullName, "..", "shared", "data"));
        }

        return null;
    }
}
