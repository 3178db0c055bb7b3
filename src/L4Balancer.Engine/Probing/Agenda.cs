using System.Diagnostics.CodeAnalysis;
using L4Balancer.Core.Timing;

namespace L4Balancer.Engine.Probing;

/// <summary>When the prober's loop looks at which backend. Only the loop touches it.</summary>
internal sealed class Agenda
{
    // An entry whose time is not its target's any more is a leftover, and is passed over when it comes up.
    private readonly PriorityQueue<ProbeTarget, Instant> _entries = new();

    public void Set(ProbeTarget target, Instant at)
    {
        target.LookAt = at;
        if (at != Instant.Never)
        {
            _entries.Enqueue(target, at);
        }
    }

    /// <summary>Moves the next probe of a target that waits for it nearer; never further away.</summary>
    public void Advance(ProbeTarget target, Instant at)
    {
        if (target.IsWaiting && at < target.LookAt)
        {
            Set(target, at);
        }
    }

    public bool TryTakeDue(Instant now, [NotNullWhen(true)] out ProbeTarget? target)
    {
        while (_entries.TryPeek(out target, out Instant at) && at <= now)
        {
            _entries.Dequeue();
            if (!target.IsGone && target.LookAt == at)
            {
                target.LookAt = Instant.Never;
                return true;
            }
        }

        target = null;
        return false;
    }

    /// <summary>When there is something to look at; perhaps a leftover.</summary>
    public bool TryNext(out Instant at) => _entries.TryPeek(out _, out at);
}
