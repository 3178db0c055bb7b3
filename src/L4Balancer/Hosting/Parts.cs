using System.Runtime.ExceptionServices;

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

    /// <summary>Takes all parts apart, also where one throws: a socket or a file that stays open would be in the way of whoever comes next.</summary>
    /// <exception cref="AggregateException">More than one part threw; where it was one, its own exception comes out.</exception>
    public async ValueTask DisposeAsync()
    {
        List<Exception> thrown = [];
        while (_ends.TryPop(out Func<ValueTask>? end))
        {
            try
            {
                await end();
            }
            catch (Exception e)
            {
                thrown.Add(e);
            }
        }

        if (thrown is [Exception only])
        {
            ExceptionDispatchInfo.Throw(only);
        }
        else if (thrown.Count > 0)
        {
            throw new AggregateException(thrown);
        }
    }
}
