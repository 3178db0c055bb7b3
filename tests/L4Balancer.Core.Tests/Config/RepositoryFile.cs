namespace L4Balancer.Core.Tests.Config;

/// <summary>Files at the top of the repository, found upwards from where the tests were built.</summary>
internal static class RepositoryFile
{
    public static string Read(string path)
    {
        DirectoryInfo? directory = new(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "L4Balancer.sln")))
        {
            directory = directory.Parent;
        }

        Assert.That(directory, Is.Not.Null, "the tests run inside a checkout");
        return File.ReadAllText(Path.Combine(directory!.FullName, path)).ReplaceLineEndings("\n");
    }
}
