using L4Balancer.Core.Pacing;

namespace L4Balancer.Core.Tests.Pacing;

/// <summary>Which connections are closed, and in what order.</summary>
internal sealed class ChoosingTests
{
    private static readonly (string Group, int Rank)[] All =
        [.. Enumerable.Range(0, 300).Select(i => (i % 3 == 0 ? "a" : "b", (i * 7919) % 300))];

    [Test]
    public void Without_quotas_everything_goes_by_rank() =>
        Assert.That(Choose(null).Select(c => c.Rank), Is.EqualTo(Enumerable.Range(0, 300)));

    [Test]
    public void Of_each_group_the_lowest_ranks_up_to_its_quota_go()
    {
        IReadOnlyList<(string Group, int Rank)> chosen = Choose(new() { ["a"] = 10, ["b"] = 1000 });

        Assert.That(chosen.Where(c => c.Group == "a").Select(c => c.Rank), Is.EqualTo(All.Where(c => c.Group == "a").Select(c => c.Rank).Order().Take(10)));
        Assert.That(chosen.Count(c => c.Group == "b"), Is.EqualTo(200));
    }

    [Test]
    public void What_has_no_quota_keeps_all() => Assert.That(Choose(new() { ["b"] = 1 }).Single().Group, Is.EqualTo("b"));

    [Test]
    public void Groups_lose_in_step()
    {
        (string Group, int)[] firstHalf = [.. Choose(new() { ["a"] = 20, ["b"] = 100 }).Take(60)];

        Assert.That((firstHalf.Count(c => c.Group == "a"), firstHalf.Count(c => c.Group == "b")), Is.EqualTo((10, 50)));
    }

    private static IReadOnlyList<(string Group, int Rank)> Choose(Dictionary<string, int>? quotas) =>
        Choosing.Choose(All, c => c.Group, c => c.Rank, quotas);
}
