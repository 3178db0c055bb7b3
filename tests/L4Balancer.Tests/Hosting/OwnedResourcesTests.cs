using L4Balancer.Hosting;

namespace L4Balancer.Tests.Hosting;

/// <summary>How a daemon is taken apart.</summary>
internal sealed class OwnedResourcesTests
{
    [Test]
    public async Task Parts_end_one_after_the_other_the_newest_first_and_once()
    {
        List<string> ended = [];
        var parts = new OwnedResources();
        parts.Own(new Slow(() => ended.Add("first")));
        parts.Own(new Quick(() => ended.Add("second")));
        parts.Own(new Slow(() => ended.Add("third")));

        await parts.DisposeAsync();
        await parts.DisposeAsync();
        Assert.That(ended, Is.EqualTo(new[] { "third", "second", "first" }));
    }

    [Test]
    public async Task A_part_that_throws_keeps_no_other_from_its_end()
    {
        List<string> ended = [];
        var fault = new IOException("the disk is full");
        var parts = new OwnedResources();
        parts.Own(new Quick(() => ended.Add("first")));
        parts.Own(new Slow(() => throw fault));
        parts.Own(new Quick(() => ended.Add("third")));

        Assert.That(async () => await parts.DisposeAsync(), Throws.Exception.SameAs(fault));
        Assert.That(ended, Is.EqualTo(new[] { "third", "first" }));
        await parts.DisposeAsync();
    }

    [Test]
    public void All_that_was_thrown_comes_out()
    {
        var parts = new OwnedResources();
        parts.Own(new Quick(() => throw new IOException("one")));
        parts.Own(new Slow(() => throw new InvalidOperationException("two")));

        AggregateException thrown = Assert.ThrowsAsync<AggregateException>(async () => await parts.DisposeAsync())!;
        Assert.That(thrown.InnerExceptions.Select(e => e.Message), Is.EqualTo(new[] { "two", "one" }));
    }

    private sealed class Quick(Action end) : IDisposable
    {
        public void Dispose() => end();
    }

    private sealed class Slow(Action end) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await Task.Yield();
            end();
        }
    }
}
