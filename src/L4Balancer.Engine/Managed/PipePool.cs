using System.IO.Pipelines;
using Microsoft.Extensions.ObjectPool;

namespace L4Balancer.Engine.Managed;

/// <summary>Reusable pipes, one per direction of a connection. A pipe without unread bytes holds no buffer.</summary>
internal static class PipePool
{
    /// <summary>A direction stops reading when this many bytes are unsent, and resumes at half of it.</summary>
    public const int PauseThreshold = 64 * 1024;

    private const int SegmentSize = 32 * 1024;

    private const int Retained = 4096;

    private static readonly PipeOptions Options = new(
        pauseWriterThreshold: PauseThreshold,
        resumeWriterThreshold: PauseThreshold / 2,
        minimumSegmentSize: SegmentSize,
        readerScheduler: PipeScheduler.Inline,
        writerScheduler: PipeScheduler.Inline,
        useSynchronizationContext: false);

    public static ObjectPool<Pipe> Shared { get; } = new DefaultObjectPool<Pipe>(new Policy(), Retained);

    private sealed class Policy : PooledObjectPolicy<Pipe>
    {
        public override Pipe Create() => new(Options);

        public override bool Return(Pipe obj)
        {
            obj.Reset();
            return true;
        }
    }
}
