using L4Balancer.Core.Timing;

namespace L4Balancer.Engine.Probing;

/// <summary>
/// The closing handshakes in progress, oldest first, and the time that each backend has for its side. They have no timers of their own: the
/// loop looks after them. Used by the loop only.
/// </summary>
internal sealed class ClosingHandshakes
{
    private static readonly TimeSpan Limit = TimeSpan.FromMilliseconds(500);

    private readonly Queue<(Conversation Conversation, Instant Until)> _all = new();

    /// <summary>Call before the closing handshake begins.</summary>
    public void Add(Conversation conversation, Instant now) => _all.Enqueue((conversation, now + Limit));

    /// <summary>Resets those that took too long.</summary>
    /// <returns>When the next one will have taken too long; <see cref="Instant.Never"/> if there is none.</returns>
    public Instant CutLate(Instant now)
    {
        while (_all.TryPeek(out (Conversation Conversation, Instant Until) oldest))
        {
            if (!oldest.Conversation.HasEnded && oldest.Until > now)
            {
                return oldest.Until;
            }

            oldest.Conversation.Cut();
            _all.Dequeue();
        }

        return Instant.Never;
    }

    public void CutAll()
    {
        while (_all.TryDequeue(out (Conversation Conversation, Instant Until) one))
        {
            one.Conversation.Cut();
        }
    }
}
