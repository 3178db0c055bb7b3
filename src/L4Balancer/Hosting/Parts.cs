namespace L4Balancer.Hosting;

/// <summary>What a daemon is put together from, taken apart in the reverse order: each may use what was there before it. One thread at a time.</summary>
internal sealed class Parts : IAsyncDisposable
{
    private readonly Stack<Func<ValueTask>> _ends = [];

    public void Own(IAsyncDisposable part) => _ends.Push(part.DisposeAsync);

    public void Own(IDisposable part) => _ends.Push(() =>
    {
        part.Dispose();
        return ValueTask.CompletedTask;
    });

    public async ValueTask DisposeAsync()
    {
        while (_ends.TryPop(out Func<ValueTask>? end))
        {
            await end();
        }
    }
}
