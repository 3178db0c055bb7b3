using BenchmarkDotNet.Attributes;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;

namespace L4Balancer.Bench.Micro;

/// <summary>The published hash of a tuple: 36 bytes with all fields, 16 with the source address alone.</summary>
[MemoryDiagnoser]
public class TupleHashBenchmarks
{
    private readonly TupleSequence _tuples = new();

    [Params(TupleFields.All, TupleFields.SourceIp)]
    public TupleFields Fields { get; set; }

    [Benchmark]
    public ulong Hash() => TupleHash.Of(_tuples.Next(), Fields, 0);
}
