using L4Balancer.Hosting;

namespace L4Balancer.Tests.Hosting;

/// <summary>How a daemon is taken apart.</summary>
internal sealed class PartsTests
{
    [Test]
    public async Task Parts_end_one_after_the_other_the_newest_first_and_once()
    {
        List<string> ended = [];
        var parts = new Parts();
        parts.Own(new Slow(() => ended.Add("first")));
        parts.Own(new Quick(() => ended.Add("second")));
        parts.Own(new Slow(() => ended.Add("third")));

        await parts.DisposeAsync();
        await parts.DisposeAsync();
        Assert.That(ended, Is.EqualTo(new[] { "third", "second", "first" }));
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
