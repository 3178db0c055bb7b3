using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;

namespace L4Balancer.Core.Tests.Balancing;

/// <summary>
/// What a ring may cost. Times are processor time, the best of several runs, so that a busy machine does not fail them.
/// </summary>
[TestFixture]
[NonParallelizable]
internal sealed class RingCostTests
{
    private const long MiB = 1024 * 1024;

    // Everything allocated while building counts, what is kept and what is dropped: what is kept can only be less.
    [TestCase(10_000, 100, 64)]
    [TestCase(10_000, 1000, 64)]
    [TestCase(65_000, 100, 96)]
    public void Large_ring_builds_in_a_second_and_bounded_memory(int count, int weight, int mebibytes)
    {
        RingMember[] members = Samples.Members(count, weight);
        long allocated = 0;
        TimeSpan best = Best(3, () =>
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            Ring.Build(members);
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        });
        TestContext.Out.WriteLine($"{count} of weight {weight}: {best.TotalMilliseconds:F0} ms, {allocated / (double)MiB:F1} MiB");

        Assert.Multiple(() =>
        {
            Assert.That(allocated, Is.LessThan(mebibytes * MiB));
            if (count == 10_000 && weight == 100)
            {
                Assert.That(best, Is.LessThan(TimeSpan.FromSeconds(1)));
            }
        });
    }

    [Test]
    public void Picking_allocates_nothing()
    {
        RingMember[] members = Samples.Members(100);
        Ring ring = Ring.Build(members);
        AvailableSet[] sets = [AvailableSet.Of(members), AvailableSet.Of(members.AsSpan(0, 2)), AvailableSet.Of([])];
        FourTuple[] tuples = Samples.Tuples(1000);
        ushort[] tried = [0, 1];

        PickAll();
        long before = GC.GetAllocatedBytesForCurrentThread();
        PickAll();

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);

        void PickAll()
        {
            foreach (AvailableSet available in sets)
            {
                foreach (FourTuple tuple in tuples)
                {
                    ring.Pick(tuple, available, []);
                    ring.Pick(tuple, available, tried);
                }
            }
        }
    }

    // With all members available, a pick hashes once and looks up once. With none available it must not even do that, let alone 33 times:
    // it must cost less than half, on any machine.
    [Test]
    public void Pick_with_all_dead_costs_less_than_one_lookup()
    {
        RingMember[] members = Samples.Members(10_000);
        Ring ring = Ring.Build(members);
        FourTuple[] tuples = Samples.Tuples(50_000);
        TimeSpan available = Time(AvailableSet.Of(members));
        TimeSpan dead = Time(AvailableSet.Of([]));

        Assert.That(dead, Is.LessThan(available / 2));

        TimeSpan Time(AvailableSet set) => Best(5, () =>
        {
            foreach (ref readonly FourTuple tuple in tuples.AsSpan())
            {
                ring.Pick(tuple, set, []);
            }
        });
    }

    private static TimeSpan Best(int runs, Action run)
    {
        TimeSpan best = TimeSpan.MaxValue;
        for (int i = 0; i < runs; i++)
        {
            TimeSpan start = Environment.CpuUsage.TotalTime;
            run();
            TimeSpan took = Environment.CpuUsage.TotalTime - start;
            best = took < best ? took : best;
        }

        return best;
    }
}
