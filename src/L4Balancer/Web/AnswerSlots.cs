using L4Balancer.Core.Addressing;

namespace L4Balancer.Web;

/// <summary>
/// How many large answers are written at once, since each takes memory for as long as its reader takes. A request waits for its turn,
/// in order of arrival; one turn is kept for trusted clients. Any thread.
/// </summary>
internal sealed class AnswerSlots(TimeProvider clock)
{
    /// <summary>At once.</summary>
    public const int Most = 4;

    /// <summary>At once for one source that is not trusted.</summary>
    public const int PerSource = 2;

    private const int MostUntrusted = Most - 1;

    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(3);

    private readonly Lock _gate = new();
    private readonly List<Slot> _taken = [];
    private readonly List<Slot> _waiting = [];

    /// <param name="source">The client; null if it is trusted.</param>
    /// <returns>The slot, to be disposed of once the answer is written; null if none became free in time.</returns>
    /// <exception cref="OperationCanceledException">The client is gone.</exception>
    public async Task<IDisposable?> EnterAsync(HostAddress? source, CancellationToken cancel)
    {
        var slot = new Slot(this, source);
        lock (_gate)
        {
            if (MayEnter(slot))
            {
                _taken.Add(slot);
                return slot;
            }

            _waiting.Add(slot);
        }

        try
        {
            await slot.Entered.Task.WaitAsync(LongestWait, clock, cancel);
            return slot;
        }
        catch (TimeoutException)
        {
            slot.Dispose();
            return null;
        }
        catch
        {
            slot.Dispose();
            throw;
        }
    }

    private bool MayEnter(Slot slot) =>
        _taken.Count < Most
        && (slot.Source is null
            || (_taken.Count(s => s.Source is not null) < MostUntrusted && _taken.Count(s => s.Source == slot.Source) < PerSource));

    private void Leave(Slot slot)
    {
        lock (_gate)
        {
            _waiting.Remove(slot);
            _taken.Remove(slot);
            foreach (Slot next in _waiting.ToArray())
            {
                if (MayEnter(next))
                {
                    _waiting.Remove(next);
                    _taken.Add(next);
                    next.Entered.SetResult();
                }
            }
        }
    }

    private sealed class Slot(AnswerSlots of, HostAddress? source) : IDisposable
    {
        public HostAddress? Source => source;

        public TaskCompletionSource Entered { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Dispose() => of.Leave(this);
    }
}
