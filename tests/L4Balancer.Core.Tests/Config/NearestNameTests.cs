using L4Balancer.Core.Config;

namespace L4Balancer.Core.Tests.Config;

internal sealed class NearestNameTests
{
    [TestCase("", "", 0)]
    [TestCase("", "abc", 3)]
    [TestCase("abc", "", 3)]
    [TestCase("kitten", "sitting", 3)]
    [TestCase("weight", "wieght", 1)]
    [TestCase("adress", "address", 1)]
    [TestCase("ca", "abc", 3)]
    public void Distance_counts_edits_and_swaps_of_neighbours(string from, string to, int distance)
    {
        Assert.That(NearestName.Distance(from, to), Is.EqualTo(distance));
        Assert.That(NearestName.Distance(to, from), Is.EqualTo(distance));
    }

    [Test]
    public void The_first_of_equally_near_names_is_taken()
    {
        Assert.That(NearestName.Of("bat", ["dog", "cat", "hat"], out int distance), Is.EqualTo("cat"));
        Assert.That(distance, Is.EqualTo(1));
    }

    [Test]
    public void Without_candidates_nothing_is_near() => Assert.That(NearestName.Of("bat", [], out _), Is.Null);

    [Test]
    public void A_name_of_a_million_characters_costs_no_more_than_a_long_one() =>
        Assert.That(NearestName.Distance(new string('a', 1_000_000), "a"), Is.LessThan(100));
}
