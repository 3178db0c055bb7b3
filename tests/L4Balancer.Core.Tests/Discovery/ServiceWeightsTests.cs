using L4Balancer.Core.Addressing;
using L4Balancer.Core.Discovery;

namespace L4Balancer.Core.Tests.Discovery;

/// <summary>Which backends SRV records stand for.</summary>
internal sealed class ServiceWeightsTests
{
    [Test]
    public void The_lowest_priority_is_primary_and_all_others_are_backups() => Assert.That(
        Shown((20, 1), (10, 1), (30, 1), (10, 2)), Is.EqualTo("10.0.0.1*1b 10.0.0.2*1 10.0.0.3*1b 10.0.0.4*2"));

    [Test]
    public void Small_weights_are_kept_and_a_zero_beside_others_is_a_little() => Assert.That(
        Shown((0, 1000), (0, 5), (0, 0)), Is.EqualTo("10.0.0.1*1000 10.0.0.2*5 10.0.0.3*1"));

    [Test]
    public void Large_weights_are_scaled_in_proportion() => Assert.That(
        Shown((0, 60_000), (0, 30_000), (0, 60), (0, 1)), Is.EqualTo("10.0.0.1*1000 10.0.0.2*500 10.0.0.3*1 10.0.0.4*1"));

    [Test]
    public void Without_weights_all_are_equal() => Assert.That(Shown((0, 0), (0, 0), (1, 0)), Is.EqualTo("10.0.0.1*100 10.0.0.2*100 10.0.0.3*100b"));

    [Test]
    public void Each_address_of_a_target_is_a_backend_and_a_target_may_have_none()
    {
        HostAddress[] two = [HostAddress.FromV4(1), HostAddress.FromV4(2)];

        Assert.That(ServiceWeights.BackendsOf([new ServiceTarget(0, 1, 80, two), new ServiceTarget(0, 1, 81, [])]), Has.Length.EqualTo(2));
        Assert.That(ServiceWeights.BackendsOf([]), Is.Empty);
    }

    private static string Shown(params (int Priority, int Weight)[] records) => string.Join(' ', ServiceWeights
        .BackendsOf(records.Select((r, i) => new ServiceTarget(r.Priority, r.Weight, 80, [HostAddress.FromV4(0x0A00_0001u + (uint)i)])))
        .OrderBy(b => b.Address.Address)
        .Select(b => $"{b.Address.Address}*{b.Weight}{(b.Backup ? "b" : "")}"));
}
