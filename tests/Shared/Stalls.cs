using L4Balancer.Core.Timing;

namespace L4Balancer.Tests.Shared;

/// <summary>
/// When this process got no processor, or the thread pool of the tests answered late: what the peers of a test do at such a moment comes late, and
/// says nothing about the engine. Looks every two milliseconds until disposed.
/// </summary>
internal sealed class Stalls : IAsyncDisposable
{
    /// <summary>A gap as long as this between two looks is a stall; timers of the runtime may come a few milliseconds late by themselves.</summary>
    private static readonly TimeSpan Worth = TimeSpan.FromMilliseconds(10);

    private readonly PeriodicTimer _looks = new(TimeSpan.FromMilliseconds(2));
    private readonly List<(Instant From, Instant To)> _gaps = [];
    private readonly (Instant Instant, DateTimeOffset Time) _begun = (Instant.Now(TimeProvider.System), TimeProvider.System.GetUtcNow());
    private readonly Task _looking;

    public Stalls() => _looking = Task.Run(LookAsync);

    /// <summary>Whether there was a stall, or its effects, between these two instants.</summary>
    public bool Touch(Instant from, Instant to)
    {
        lock (_gaps)
        {
            return _gaps.Exists(g => g.From < to && g.To + Worth > from);
        }
    }

    /// <summary>The same for times of a log.</summary>
    public bool Touch(DateTimeOffset from, DateTimeOffset to) => Touch(_begun.Instant + (from - _begun.Time), _begun.Instant + (to - _begun.Time));

    public async ValueTask DisposeAsync()
    {
        _looks.Dispose();
        await _looking;
    }

    private async Task LookAsync()
    {
        Instant last = Instant.Now(TimeProvider.System);
        while (await _looks.WaitForNextTickAsync())
        {
            Instant now = Instant.Now(TimeProvider.System);
            if (now - last > Worth)
            {
                lock (_gaps)
                {
                    _gaps.Add((last, now));
                }
            }

            last = now;
        }
    }
}
