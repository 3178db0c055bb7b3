namespace L4Balancer.Core.Tests.Toml;

/// <summary>The files of toml-lang/toml-test, whichever of them are there.</summary>
internal static class TomlTestFiles
{
    private const string Folder = "toml-test";

    public static IEnumerable<TestCaseData> Valid() => Cases("valid");

    public static IEnumerable<TestCaseData> Invalid() => Cases("invalid");

    /// <summary>Full paths, in an order that does not depend on the file system; none where the data is absent.</summary>
    public static string[] Paths(string kind)
    {
        string? root = TestData.Find(Folder);
        if (root is null || !Directory.Exists(Path.Combine(root, kind))) return [];
        string[] paths = Directory.GetFiles(Path.Combine(root, kind), "*.toml", SearchOption.AllDirectories);
        Array.Sort(paths, StringComparer.Ordinal);
        return paths;
    }

    // The source runs before any test, where nothing can be skipped yet: so an absent set is one case, which then skips itself.
    private static IEnumerable<TestCaseData> Cases(string kind)
    {
        string[] paths = Paths(kind);
        if (paths.Length == 0)
        {
            yield return new TestCaseData("").SetArgDisplayNames("no data").Ignore(TestData.Missing($"{Folder}/{kind}"));
        }

        foreach (string path in paths)
        {
            yield return new TestCaseData(path).SetArgDisplayNames(Path.GetRelativePath(TestData.Find(Folder)!, path));
        }
    }
}
