using System.Runtime.InteropServices;

namespace L4Balancer.Bench.Survive.Peers;

/// <summary>When a message was sent and when its answer was complete, in nanoseconds of CLOCK_MONOTONIC.</summary>
internal readonly record struct Sample(long Asked, long Answered);

/// <summary>All messages of a process, and the file that they are handed over in. For one thread.</summary>
internal sealed class Latencies
{
    private readonly List<Sample> _samples = new(1 << 20);

    public void Add(long asked, long answered) => _samples.Add(new Sample(asked, answered));

    public void Write(string path) => File.WriteAllBytes(path, MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(_samples)).ToArray());

    public static Sample[] Read(string path) => MemoryMarshal.Cast<byte, Sample>(File.ReadAllBytes(path)).ToArray();
}
