using L4Balancer.Core.Balancing;

namespace L4Balancer.Core.Tests.Balancing;

public sealed class LivingSetTests
{
    [Test]
    public void Leaving_out_the_marked_gives_the_set_of_the_others()
    {
        var random = new Random(23);
        RingMember[] members = [.. Enumerable.Range(0, 300).Select(i => new RingMember(i, $"10.0.{i % 7}.{i}:80", random.Next(0, 300)))];
        RingMember[] ordered = RingMember.InAddressOrder(members);
        for (int round = 0; round < 50; round++)
        {
            bool[] down = [.. members.Select(_ => random.NextDouble() < round / 49.0)];
            var expected = LivingSet.Of([.. members.Where(m => !down[m.Index])]);
            var actual = LivingSet.Without(ordered, down);

            Assert.That(actual.Count, Is.EqualTo(expected.Count));
            Assert.That(members.Select(m => actual.Contains(m.Index)), Is.EqualTo(members.Select(m => expected.Contains(m.Index))));
            Assert.That(
                Enumerable.Range(0, actual.Count).Select(actual.At), Is.EqualTo(Enumerable.Range(0, actual.Count).Select(expected.At)));
        }
    }
}
