using System.Globalization;
using BenchmarkDotNet.Attributes;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;

namespace L4Balancer.Bench.Micro;

/// <summary>Picking a backend: hash and lookup, all four fields. Every call has another tuple, so that large rings pay for their caches.</summary>
[MemoryDiagnoser]
public class RingBenchmarks
{
    private readonly TupleSequence _tuples = new();
    private Ring _ring = Ring.Build([]);
    private AvailableSet _all = AvailableSet.Of([]);
    private AvailableSet _half = AvailableSet.Of([]);
    private AvailableSet _one = AvailableSet.Of([]);
    private AvailableSet _none = AvailableSet.Of([]);

    [Params(10, 100, 10_000)]
    public int Backends { get; set; }

    [GlobalSetup]
    public void Build()
    {
        RingMember[] members = Members(Backends);
        _ring = Ring.Build(members);
        _all = AvailableSet.Of(members);
        _half = AvailableSet.Of(Array.FindAll(members, static m => m.Index % 2 == 0));
        _one = AvailableSet.Of(members.AsSpan(0, 1));
        _none = AvailableSet.Of([]);
    }

    [Benchmark(Baseline = true)]
    public int All_living() => Pick(_all);

    [Benchmark]
    public int Every_second_dead() => Pick(_half);

    [Benchmark]
    public int One_living() => Pick(_one);

    [Benchmark]
    public int All_dead() => Pick(_none);

    private int Pick(AvailableSet available)
    {
        Span<byte> buffer = stackalloc byte[TupleHash.MaxLength];
        return _ring.Pick(new RouteKey(buffer[..TupleHash.Write(_tuples.Next(), TupleFields.All, buffer)]), available, []);
    }

    internal static RingMember[] Members(int count)
    {
        var members = new RingMember[count];
        for (int i = 0; i < count; i++)
        {
            members[i] = new RingMember(i, string.Create(CultureInfo.InvariantCulture, $"10.0.{i >> 8}.{i & 255}:8443"), 100);
        }

        return members;
    }
}
