namespace L4Balancer.Tests.Documents;

/// <summary>docs/README.md is the table of contents.</summary>
internal sealed class ContentsTests
{
    private const string Page = "docs/README.md";

    /// <summary>All that a user may read: pages and descriptions of formats, but not pictures. The decisions have a list of their own.</summary>
    private static IEnumerable<string> Expected => Directory.EnumerateFiles(Repository.PathOf("docs")).Select(f => $"docs/{Path.GetFileName(f)}")
        .Where(f => f != Page).Append("docs/decisions/README.md");

    [Test]
    public void Every_document_is_in_the_contents_exactly_once() =>
        Assert.That(Links(Page).Where(l => l.StartsWith("docs/", StringComparison.Ordinal)), Is.EquivalentTo(Expected));

    [Test]
    public void Every_decision_is_in_the_list_of_decisions_exactly_once() =>
        Assert.That(Links("docs/decisions/README.md"), Is.EquivalentTo(
            Directory.EnumerateFiles(Repository.PathOf("docs", "decisions")).Select(f => $"docs/decisions/{Path.GetFileName(f)}")
                .Where(f => !f.EndsWith("/README.md", StringComparison.Ordinal))));

    [Test]
    public void The_readme_leads_to_the_contents() => Assert.That(Links("README.md"), Does.Contain(Page));

    // From the root of the repository, without dots.
    private static IEnumerable<string> Links(string page) => new Document(page).Links
        .Select(l => Path.GetRelativePath(Repository.Root, Path.GetFullPath(Repository.PathOf(l))));
}
