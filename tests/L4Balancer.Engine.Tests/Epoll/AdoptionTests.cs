using L4Balancer.Core.Accounting;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Tests.Contract;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Epoll;

/// <summary>What becomes of connections that come from another engine where the kernel does not let this one serve them.</summary>
internal sealed class AdoptionTests() : EpollFixture(workers: 1)
{
    [TestCase(1)]
    [TestCase(2)]
    public async Task A_connection_that_cannot_be_watched_ends_at_once(int watched)
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        await using FrozenSlice slice = (await rig.Engine.FreezeAsync(1, CancellationToken.None).Soon())!;
        ExportedConnection copy = Duplicates.Of(slice.Connections.Single());
        await slice.CommitAsync(new HashSet<ulong> { copy.Record.Id }).Soon();
        SystemFault.Installed = new FailingFrom(SystemCall.EpollAdd, Errno.ENOSPC, watched);

        IReadOnlyList<AdoptFailure> failures = await rig.Engine.AdoptAsync([copy]).Soon();

        Assert.That(failures.Select(f => (f.Id, f.Reason)), Is.EqualTo(new[] { (copy.Record.Id, CloseReason.Limit) }));
        Assert.That((await client.ReceiveAllAsync().Soon()).End, Is.EqualTo(StreamEnd.Reset));
        Assert.That((await server.ReceiveAllAsync().Soon()).End, Is.EqualTo(StreamEnd.Reset));
        Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.Limit));
    }

    private sealed class FailingFrom(SystemCall call, Errno error, int first) : SystemFault
    {
        private int _count;

        public override Errno Before(SystemCall asked, int descriptor) =>
            asked == call && Interlocked.Increment(ref _count) >= first ? error : Errno.None;
    }
}
