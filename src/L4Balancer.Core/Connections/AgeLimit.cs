using L4Balancer.Core.Balancing;
using L4Balancer.Core.Pacing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Connections;

/// <summary>
/// The deadline of a connection under <c>max_age</c>: between 90% and 100% of it, chosen by the connection's id. When many connections
/// expire together, each reserves a time slot, and the slots follow one another at the pool's <c>close_rate</c>. One thread at a time; the
/// default value is a new limit.
/// </summary>
public struct AgeLimit
{
    private const double Jitter = 0.1;

    /// <summary>When it is due, in ticks; negative: the slot that it has reserved; zero: not decided. One number, because every connection has it.</summary>
    private long _due;

    /// <summary>The slot that it has reserved, under the <c>close_rate</c> of its pool; zero: none.</summary>
    internal readonly Instant Slot => _due < 0 ? new Instant(-_due) : default;

    /// <summary>A limit that has reserved a slot in another process; the default: a new one.</summary>
    internal static AgeLimit At(Instant slot) => new() { _due = -slot.Ticks };

    /// <summary>The time of the next check; never where there is no limit.</summary>
    public Instant Due(in ConnectionRecord record)
    {
        if (_due == 0)
        {
            TimeSpan age = record.Origin.Policy.MaxAge;
            double sooner = Jitter * Mix.Of(record.Id) / ulong.MaxValue;
            _due = (age == TimeSpan.Zero ? Instant.Never : record.EstablishedAt.After(age * (1 - sooner))).Ticks;
        }

        return new Instant(Math.Abs(_due));
    }

    /// <summary>Reserves a slot if the connection is due and has none yet; <see cref="Due"/> is the time of the slot afterwards.</summary>
    /// <returns>Whether a slot was reserved.</returns>
    public bool TryReserve(in ConnectionRecord record, Instant now)
    {
        if (_due < 0 || now < Due(record))
        {
            return false;
        }

        _due = -record.Pool.Closing.Reserve(now, RateLimiter.Between(record.Origin.Policy.CloseRate)).Ticks;
        return true;
    }
}
