using L4Balancer.Control;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Tests.Control;

/// <summary>Changes are applied one after the other, whatever becomes of one of them.</summary>
internal sealed class ControlQueueTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Test]
    public async Task An_exception_fails_the_request_that_it_is_about_and_ends_nothing()
    {
        await using var queue = new ControlQueue(NullLogger.Instance);
        queue.Start(static change =>
        {
            if (change is ReloadBegun reload)
            {
                reload.Complete(true);
                return;
            }

            throw new InvalidOperationException("of the test");
        });

        queue.Post(new TrialDue());
        Assert.That(
            async () => await queue.AskAsync(new WeightSet("p", "b", 1, "test")).WaitAsync(Patience),
            Throws.InvalidOperationException.With.Message.EqualTo("of the test"));
        Assert.That(await queue.AskAsync(new ReloadBegun()).WaitAsync(Patience), Is.True);
    }

    [Test]
    public async Task What_was_posted_before_the_start_and_before_the_end_is_applied_in_order()
    {
        List<Change> applied = [];
        Change[] posted = [new TrialDue(), new SlowStartTick(), new NamesChanged()];
        var queue = new ControlQueue(NullLogger.Instance);
        queue.Post(posted[0]);
        queue.Post(posted[1]);
        queue.Start(applied.Add);
        queue.Post(posted[2]);
        await queue.DisposeAsync();

        Assert.That(applied, Is.EqualTo(posted));
    }

    [Test]
    public async Task Who_asks_after_the_end_is_told_so()
    {
        var queue = new ControlQueue(NullLogger.Instance);
        await queue.DisposeAsync();

        Assert.That(async () => await queue.AskAsync(new ReloadBegun()), Throws.InstanceOf<ObjectDisposedException>());
    }
}
