using L4Balancer.Core.Addressing;
using L4Balancer.Web;
using Microsoft.Extensions.Time.Testing;

namespace L4Balancer.Tests.Web;

/// <summary>How many large answers are under way at once, and whose turn is next.</summary>
internal sealed class AnswerSlotsTests
{
    private static readonly HostAddress Ann = HostAddress.FromV4(0x0A00_0001);
    private static readonly HostAddress Bob = HostAddress.FromV4(0x0A00_0002);

    [Test]
    public async Task A_source_waits_for_its_own_answers_and_others_pass_by()
    {
        var slots = new AnswerSlots(new FakeTimeProvider());
        IDisposable first = (await slots.EnterAsync(Ann, default))!;
        _ = await slots.EnterAsync(Ann, default);
        Task<IDisposable?> third = slots.EnterAsync(Ann, default);
        Assert.That(third.IsCompleted, Is.False);
        Assert.That(slots.EnterAsync(Bob, default).IsCompletedSuccessfully, Is.True);
        first.Dispose();
        Assert.That(await third.WaitAsync(DaemonProcess.Deadline), Is.Not.Null);
    }

    [Test]
    public async Task One_turn_is_kept_for_the_trusted()
    {
        var slots = new AnswerSlots(new FakeTimeProvider());
        _ = await slots.EnterAsync(Ann, default);
        _ = await slots.EnterAsync(Ann, default);
        _ = await slots.EnterAsync(Bob, default);
        Assert.That(slots.EnterAsync(Bob, default).IsCompleted, Is.False);
        Assert.That(slots.EnterAsync(null, default).IsCompletedSuccessfully, Is.True);
        Assert.That(slots.EnterAsync(null, default).IsCompleted, Is.False, "four at most");
    }

    [Test]
    public async Task Who_waits_too_long_or_leaves_takes_no_turn()
    {
        var clock = new FakeTimeProvider();
        var slots = new AnswerSlots(clock);
        IDisposable first = (await slots.EnterAsync(Ann, default))!;
        _ = await slots.EnterAsync(Ann, default);
        using var leaves = new CancellationTokenSource();
        Task<IDisposable?> left = slots.EnterAsync(Ann, leaves.Token);
        Task<IDisposable?> late = slots.EnterAsync(Ann, default);
        await leaves.CancelAsync();
        Assert.That(async () => await left, Throws.InstanceOf<OperationCanceledException>());
        clock.Advance(TimeSpan.FromSeconds(10));
        Assert.That(await late.WaitAsync(DaemonProcess.Deadline), Is.Null);
        Task<IDisposable?> next = slots.EnterAsync(Ann, default);
        first.Dispose();
        Assert.That(await next.WaitAsync(DaemonProcess.Deadline), Is.Not.Null);
    }
}
