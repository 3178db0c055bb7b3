using System.IO.Pipelines;
using BenchmarkDotNet.Attributes;
using L4Balancer.Engine.Managed;
using Microsoft.Extensions.ObjectPool;

namespace L4Balancer.Bench.Micro;

/// <summary>
/// What the managed engine's pipe adds to a byte on its way, without the sockets: a pipe is taken from the pool, filled and emptied
/// in turn, and given back. The plain copy is the floor.
/// </summary>
[MemoryDiagnoser]
public class PooledPipeBenchmarks
{
    private const int Total = 1024 * 1024;

    private readonly ObjectPool<Pipe> _pool = PipePool.Shared;
    private readonly byte[] _source = new byte[Total];
    private readonly byte[] _sink = new byte[Total];

    /// <summary>Bytes that one receive brings.</summary>
    [Params(128, 4096, 32 * 1024)]
    public int Chunk { get; set; }

    [GlobalSetup]
    public void FillSource() => new Random(4711).NextBytes(_source);

    [Benchmark(Baseline = true)]
    public int Plain_copy_of_a_megabyte()
    {
        int copied = 0;
        for (; copied < Total; copied += Chunk)
        {
            _source.AsSpan(copied, Chunk).CopyTo(_sink.AsSpan(copied));
        }

        return copied;
    }

    [Benchmark]
    public async Task<int> A_megabyte_through_a_pooled_pipe()
    {
        Pipe pipe = _pool.Get();
        int copied = 0;
        while (copied < Total)
        {
            _source.AsMemory(copied, Chunk).CopyTo(pipe.Writer.GetMemory(Chunk));
            pipe.Writer.Advance(Chunk);
            await pipe.Writer.FlushAsync().ConfigureAwait(false);

            ReadResult read = await pipe.Reader.ReadAsync().ConfigureAwait(false);
            foreach (ReadOnlyMemory<byte> segment in read.Buffer)
            {
                segment.CopyTo(_sink.AsMemory(copied));
                copied += segment.Length;
            }

            pipe.Reader.AdvanceTo(read.Buffer.End);
        }

        await pipe.Writer.CompleteAsync().ConfigureAwait(false);
        await pipe.Reader.CompleteAsync().ConfigureAwait(false);
        _pool.Return(pipe);
        return copied;
    }
}
