using System.Runtime.ExceptionServices;

namespace L4Balancer.Hosting;

/// <summary>The parts of a daemon, disposed of in the reverse order: each may use those created before it. One thread at a time.</summary>
internal sealed class OwnedResources : IAsyncDisposable
{
    private readonly Stack<Func<ValueTask>> _ends = [];

    public void Own(IAsyncDisposable part) => _ends.Push(part.DisposeAsync);

    public void Own(IDisposable part) => _ends.Push(() =>
    {
        part.Dispose();
        return ValueTask.CompletedTask;
    });

    /// <summary>Disposes of all parts, even if one throws: a socket or a file that stays open could block the next start.</summary>
    /// <exception cref="AggregateException">More than one part threw; if only one did, its own exception is thrown.</exception>
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
