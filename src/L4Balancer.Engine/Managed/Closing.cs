using System.Diagnostics.CodeAnalysis;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;

namespace L4Balancer.Engine.Managed;

/// <summary>How one connection comes to its end: the first cause, what it stops, and how long what is under way may still take. Any thread.</summary>
[SuppressMessage("Reliability", "CA1001", Justification = "Sources without a timer hold nothing to dispose of, and a late close may still cancel them.")]
internal sealed class Closing(ManagedEngine engine)
{
    /// <summary>For writing what was received, and for waiting for the peers' FIN.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    private readonly CancellationTokenSource _reading = new();
    private readonly CancellationTokenSource _discarding = new();
    private CloseCause _cause;
    private long _deadline = Instant.Never.Ticks;

    public CloseReason Reason => _cause.Reason;

    public bool HasCause => _cause.IsSet;

    /// <summary>Cancelled when nothing more is read: what is being set up is abandoned, what is established is closed by us.</summary>
    public CancellationToken Reading => _reading.Token;

    /// <summary>Cancelled when the peers of a close by us are waited for no longer.</summary>
    public CancellationToken Discarding => _discarding.Token;

    public bool IsGraceOver => engine.Now.Ticks >= Volatile.Read(ref _deadline);

    /// <summary>A close by us, in good order. Does nothing where there is a cause already.</summary>
    /// <returns>Whether this is the cause.</returns>
    public bool Ask(CloseReason reason)
    {
        bool first = _cause.TrySet(reason);
        if (first)
        {
            LimitGrace();
            _reading.Cancel();
        }

        return first;
    }

    /// <summary>A cause that stops nothing by itself.</summary>
    public void Note(CloseReason reason) => _cause.TrySet(reason);

    /// <summary>From now on, or from an earlier call on, the time that is left runs.</summary>
    public void LimitGrace() =>
        Interlocked.CompareExchange(ref _deadline, (engine.Now + Grace).Ticks, Instant.Never.Ticks);

    public void StopReading() => _reading.Cancel();

    public void StopDiscarding() => _discarding.Cancel();
}
