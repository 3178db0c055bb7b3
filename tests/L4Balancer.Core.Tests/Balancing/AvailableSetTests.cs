using L4Balancer.Core.Balancing;

namespace L4Balancer.Core.Tests.Balancing;

public sealed class AvailableSetTests
{
    [FsCheck.NUnit.Property(MaxTest = 300, EndSize = 300)]
    public void Leaving_out_the_marked_gives_the_set_of_the_others(Backend[] backends)
    {
        RingMember[] members = [.. backends.Select((b, i) => new RingMember(i, $"10.0.{i % 7}.{i}:80", b.Weight))];
        var expected = AvailableSet.Of([.. members.Where(m => !backends[m.Index].IsDown)]);
        var actual = AvailableSet.Without(RingMember.InAddressOrder(members), [.. backends.Select(b => b.IsDown)]);

        Assert.That(actual.Count, Is.EqualTo(expected.Count));
        Assert.That(members.Select(m => actual.Contains(m.Index)), Is.EqualTo(members.Select(m => expected.Contains(m.Index))));
        Assert.That(
            Enumerable.Range(0, actual.Count).Select(actual.At), Is.EqualTo(Enumerable.Range(0, actual.Count).Select(expected.At)));
    }

    /// <summary>One backend, as FsCheck draws it.</summary>
    public sealed record Backend(byte Weight, bool IsDown);
}
