using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Ports;

namespace L4Balancer.Core.Tests.Ports;

/// <summary>Source addresses by family, in turn.</summary>
internal sealed class SourceRotationTests
{
    private static readonly HostAddress V4 = Address("10.1.1.1");
    private static readonly HostAddress V6 = Address("2001:db8::1");

    [Test]
    public void Only_sources_of_the_destinations_family_are_offered()
    {
        var rotation = new SourceRotation([State("10.0.0.1"), State("2001:db8::2"), State("10.0.0.2")]);

        Assert.That((rotation.CountFor(V4), rotation.CountFor(V6)), Is.EqualTo((2, 1)));
        Assert.That(rotation.At(V6, turn: 77, step: 0).Label, Is.EqualTo("2001:db8::2"));
    }

    [Test]
    public void Choice_of_the_kernel_serves_both_families()
    {
        var auto = new LocalAddressState(null);
        var rotation = new SourceRotation([auto]);

        Assert.That((rotation.CountFor(V4), rotation.CountFor(V6)), Is.EqualTo((1, 1)));
        Assert.That(rotation.At(V6, rotation.NextTurn(), 0), Is.SameAs(auto));
        Assert.That(auto.Label, Is.EqualTo("auto"));
    }

    [Test]
    public void Walk_from_any_turn_meets_every_source_once()
    {
        var rotation = new SourceRotation([State("10.0.0.1"), State("10.0.0.2"), State("10.0.0.3")]);
        uint turn = uint.MaxValue - 5;
        for (int i = 0; i < 10; i++)
        {
            LocalAddressState[] walk = [rotation.At(V4, turn, 0), rotation.At(V4, turn, 1), rotation.At(V4, turn, 2)];
            Assert.That(walk, Is.Unique, $"turn {turn}");
            turn++;
        }
    }

    [Test]
    public void Turns_of_many_threads_are_all_different()
    {
        var rotation = new SourceRotation([State("10.0.0.1")]);
        var turns = new System.Collections.Concurrent.ConcurrentBag<uint>();

        Parallel.For(0, 1000, _ => turns.Add(rotation.NextTurn()));

        Assert.That(turns.Distinct().Count(), Is.EqualTo(1000));
    }

    private static LocalAddressState State(string address) => new(Address(address));

    private static HostAddress Address(string text) => HostAddress.TryParse(text, out HostAddress address) ? address : throw new FormatException(text);
}
