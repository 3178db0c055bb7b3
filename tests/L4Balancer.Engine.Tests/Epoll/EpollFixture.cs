using L4Balancer.Engine.Epoll;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Loop;
using L4Balancer.Engine.Tests.Contract;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Epoll;

/// <summary>
/// Tests that look into the epoll engine, or let its system calls fail. The seam for that is the whole process's, so they run alone.
/// </summary>
[NonParallelizable]
internal abstract class EpollFixture(int workers) : EngineContract(options => new EpollEngine(options with { Workers = workers }))
{
    protected const long MiB = 1024 * 1024;

    /// <summary>Before the engine stops: its end is not what is to fail.</summary>
    [TearDown]
    public void The_kernel_works_again() => SystemFault.Installed = null;

    protected static IReadOnlyList<Worker> WorkersOf(Rig rig) => ((EpollEngine)rig.Engine).Workers;

    /// <summary>Lets a worker answer on its own thread, between two turns of its loop.</summary>
    protected static Task<T> AskAsync<T>(Rig rig, Func<Worker, T> question, int worker = 0)
    {
        var answer = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        WorkersOf(rig)[worker].Mailbox.TryPost(w => answer.SetResult(question(w)));
        return answer.Task.Soon();
    }

    /// <summary>Holds the worker still until disposed, so that what happens meanwhile comes to it in one batch of events.</summary>
    protected static async Task<IDisposable> HoldAsync(Rig rig)
    {
        var held = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var hold = new Hold();
        WorkersOf(rig)[0].Mailbox.TryPost(_ =>
        {
            held.SetResult();
            hold.Wait();
        });
        await held.Task.Soon();
        return hold;
    }

    /// <summary>Nothing is held for anyone: no buffer, no pipe.</summary>
    protected static Task NothingIsHeldAsync(Rig rig) => Patience.Until(
        () => WorkersOf(rig).All(w => w.Buffers.InUse == 0 && w.Pipes.InUse == 0), "every buffer and pipe is given back");

    /// <summary>Streams until the engine has come to splice: a sender that gets little time sends less than makes bulk.</summary>
    /// <returns>The digest, and how many bytes there were.</returns>
    protected static async Task<(string Digest, long Bytes)> SendUntilSplicedAsync(Peer from, CountedCalls splices, int seed, long atLeast)
    {
        const long atMost = 4096 * MiB;
        int before = splices.Count;
        using var pattern = new Pattern(seed);
        while ((pattern.Taken < atLeast || splices.Count == before) && pattern.Taken < atMost)
        {
            await from.SendAsync(pattern.Next(MiB));
        }

        Assert.That(splices.Count, Is.GreaterThan(before), "it came to splicing");
        return (pattern.Digest, pattern.Taken);
    }

    private sealed class Hold : IDisposable
    {
        private readonly ManualResetEventSlim _over = new();

        public void Wait() => _over.Wait(Patience.Limit);

        public void Dispose() => _over.Set();
    }
}
