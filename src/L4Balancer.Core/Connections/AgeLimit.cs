using L4Balancer.Core.Balancing;
using L4Balancer.Core.Pacing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Connections;

/// <summary>
/// When a connection is too old (<c>max_age</c>): at nine to ten tenths of it, by its id. Many of one age come one after the other, at the
/// pool's <c>close_rate</c>: each reserves its turn when its time has come. One thread at a time; the default value is a new one.
/// </summary>
public struct AgeLimit
{
    private const double Jitter = 0.1;

    private Instant _due;
    private bool _reserved;

    /// <summary>When to look next; never where there is no limit.</summary>
    public Instant Due(in ConnectionRecord record)
    {
        if (_due.Ticks == 0)
        {
            TimeSpan age = record.Origin.Policy.MaxAge;
            double sooner = Jitter * Mix.Of(record.Id) / ulong.MaxValue;
            _due = age == TimeSpan.Zero ? Instant.Never : record.EstablishedAt.After(age * (1 - sooner));
        }

        return _due;
    }

    /// <summary>Takes a turn where the time has come and none was taken yet; <see cref="Due"/> says then when it is.</summary>
    /// <returns>Whether it took one.</returns>
    public bool TryReserve(in ConnectionRecord record, Instant now)
    {
        if (_reserved || now < Due(record))
        {
            return false;
        }

        _reserved = true;
        _due = record.Pool.Closing.Reserve(now, Pace.Between(record.Origin.Policy.CloseRate));
        return true;
    }
}
