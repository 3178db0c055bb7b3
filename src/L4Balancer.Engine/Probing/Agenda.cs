using System.Diagnostics.CodeAnalysis;
using L4Balancer.Core.Timing;

namespace L4Balancer.Engine.Probing;

/// <summary>When the prober's loop has to look at each backend. Used by the loop only.</summary>
internal sealed class Agenda
{
    // An entry whose time differs from its target's current one is stale, and is skipped when it comes up.
    private readonly PriorityQueue<ProbeTarget, Instant> _entries = new();

    public void Set(ProbeTarget target, Instant at)
    {
        target.LookAt = at;
        if (at != Instant.Never)
        {
            _entries.Enqueue(target, at);
        }
    }

    /// <summary>Moves the next probe of a waiting target earlier, never later.</summary>
    public void Advance(ProbeTarget target, Instant at)
    {
        if (target.IsWaiting && at < target.LookAt)
        {
            Set(target, at);
        }
    }

    /// <param name="tolerance">A probe that is due this soon is started now; the deadline of a running one is kept.</param>
    /// <param name="due">When it was due.</param>
    public bool TryTakeDue(Instant now, TimeSpan tolerance, [NotNullWhen(true)] out ProbeTarget? target, out Instant due)
    {
        while (_entries.TryPeek(out target, out due) && due <= (target.Running is null ? now + tolerance : now))
        {
            _entries.Dequeue();
            if (!target.IsGone && target.LookAt == due)
            {
                target.LookAt = Instant.Never;
                return true;
            }
        }

        target = null;
        return false;
    }

    public bool TryNext(out Instant at)
    {
        while (_entries.TryPeek(out ProbeTarget? target, out at))
        {
            if (!target.IsGone && target.LookAt == at)
            {
                return true;
            }

            _entries.Dequeue();
        }

        return false;
    }
}
