using BenchmarkDotNet.Attributes;
using L4Balancer.Core.Balancing;

namespace L4Balancer.Bench.Micro;

/// <summary>Building a ring (a reload, a change of weight) and the available set (every change of health).</summary>
[MemoryDiagnoser]
public class RingBuildBenchmarks
{
    private RingMember[] _members = [];

    [Params(100, 10_000)]
    public int Backends { get; set; }

    [GlobalSetup]
    public void Name() => _members = RingBenchmarks.Members(Backends);

    [Benchmark]
    public Ring Build_ring() => Ring.Build(_members);

    [Benchmark]
    public AvailableSet Build_living_set() => AvailableSet.Of(_members);
}
