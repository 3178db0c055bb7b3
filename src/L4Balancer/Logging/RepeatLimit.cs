using System.Collections.Concurrent;

namespace L4Balancer.Logging;

/// <summary>
/// Limits repeated warnings: of each kind <see cref="MostInASpan"/> pass in a <see cref="Span"/>, the rest are only counted. A kind is an
/// event of a category, so the number of kinds is bounded by the source code. Any thread.
/// </summary>
internal sealed class RepeatLimit(TimeProvider clock)
{
    /// <summary>
    /// A reload may report this many mistakes, and a network failure this many backends, before single lines are less useful than a count.
    /// </summary>
    public const int MostInASpan = 100;

    public static readonly TimeSpan Span = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<(string Category, int Event), Kind> _kinds = new();

    /// <param name="heldBack">How many were held back in the spans before; to be reported with this one.</param>
    public bool MayPass(string category, int id, out int heldBack)
    {
        Kind kind = _kinds.GetOrAdd((category, id), static _ => new Kind());
        long now = clock.GetTimestamp();
        lock (kind)
        {
            if (kind.Passed == 0 || clock.GetElapsedTime(kind.Since, now) >= Span)
            {
                (kind.Since, kind.Passed) = (now, 0);
            }

            heldBack = 0;
            if (kind.Passed == MostInASpan)
            {
                kind.HeldBack++;
                return false;
            }

            kind.Passed++;
            (heldBack, kind.HeldBack) = (kind.HeldBack, 0);
            return true;
        }
    }

    private sealed class Kind
    {
        public long Since { get; set; }

        public int Passed { get; set; }

        public int HeldBack { get; set; }
    }
}
