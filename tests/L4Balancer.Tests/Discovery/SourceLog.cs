using L4Balancer.Core.Discovery;
using L4Balancer.Discovery;

namespace L4Balancer.Tests.Discovery;

/// <summary>Watches a source, and keeps what it reports.</summary>
internal sealed class SourceLog : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();
    private readonly List<string> _sets = [];
    private readonly List<string> _faults = [];
    private readonly Task _watching;

    public SourceLog(IBackendSource source) => _watching = source.WatchAsync(Take, _stop.Token);

    /// <summary>Each set as <c>address*weight</c>, with a b for a backup, in the order of the texts.</summary>
    public IReadOnlyList<string> Sets => Copy(_sets);

    public IReadOnlyList<string> Faults => Copy(_faults);

    /// <summary>Waits for a set.</summary>
    public Task UntilAsync(string set) => WaitAsync(() => Sets.Contains(set), $"the set {set}");

    /// <summary>Waits for one more set, whatever is in it.</summary>
    public Task AnotherAsync()
    {
        int count = Sets.Count;
        return WaitAsync(() => Sets.Count > count, "another set");
    }

    /// <summary>Waits for so many readings that say nothing.</summary>
    public async Task FaultAsync(int count, string why)
    {
        await WaitAsync(() => Faults.Count >= count, $"{count} faults");
        Assert.That(Faults[count - 1], Does.Contain(why));
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _watching.WaitAsync(DaemonProcess.Deadline);
        _stop.Dispose();
    }

    private void Take(SourceReading reading)
    {
        lock (_gate)
        {
            if (reading is SourceReading.Complete set)
            {
                _sets.Add(string.Join(' ', set.Backends.Select(static b => $"{b.Address}*{b.Weight}{(b.Backup ? "b" : "")}").Order(StringComparer.Ordinal)));
            }
            else
            {
                _faults.Add(((SourceReading.Unknown)reading).Why);
            }
        }
    }

    private async Task WaitAsync(Func<bool> condition, string what)
    {
        using var deadline = new CancellationTokenSource(DaemonProcess.Deadline);
        using var looks = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        while (!condition())
        {
            try
            {
                await looks.WaitForNextTickAsync(deadline.Token);
            }
            catch (OperationCanceledException)
            {
                Assert.Fail($"not within {DaemonProcess.Deadline}: {what}\nsets:\n{string.Join('\n', Sets)}\nfaults:\n{string.Join('\n', Faults)}");
            }
        }
    }

    private string[] Copy(List<string> list)
    {
        lock (_gate)
        {
            return [.. list];
        }
    }
}
