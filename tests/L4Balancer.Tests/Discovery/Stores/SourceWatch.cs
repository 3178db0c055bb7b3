using System.Diagnostics;
using System.Globalization;
using L4Balancer.Core.Discovery;
using L4Balancer.Discovery;

namespace L4Balancer.Tests.Discovery.Stores;

/// <summary>Runs a source and collects what it reports, as texts: <c>ws1=10.0.0.1:1*100 …</c>, or <c>? </c> and why.</summary>
internal sealed class SourceWatch : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();
    private readonly List<string> _reports = [];
    private readonly Task _running;
    private int _inside;

    public SourceWatch(IBackendSource source) => _running = source.WatchAsync(Take, _stop.Token);

    public IReadOnlyList<string> Reports
    {
        get
        {
            lock (_gate)
            {
                return [.. _reports];
            }
        }
    }

    /// <summary>Waits until the latest report begins with this, or is empty like it.</summary>
    public async Task<string> UntilAsync(string wanted, int after = 0)
    {
        var waited = Stopwatch.StartNew();
        while (true)
        {
            IReadOnlyList<string> reports = Reports;
            if (reports.Count > after && (wanted.Length == 0 ? reports[^1].Length == 0 : wanted == "?" ? reports[^1].StartsWith('?') : reports[^1] == wanted))
            {
                return reports[^1];
            }

            Assert.That(_running.IsCompleted, Is.False, $"the source has ended: {_running.Exception}");
            Assert.That(waited.Elapsed, Is.LessThan(DaemonProcess.Deadline), $"not \"{wanted}\": {string.Join(" | ", reports.TakeLast(20))}");
            await Task.Delay(10);
        }
    }

    /// <summary>Stops the source, which must not take long.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running.WaitAsync(DaemonProcess.Deadline);
        _stop.Dispose();
    }

    internal static string Text(SourceReading reading) => reading switch
    {
        SourceReading.Complete complete => string.Join(' ', complete.Backends.Select(Text).Order(StringComparer.Ordinal)),
        SourceReading.Unknown unknown => $"? {unknown.Why}",
        _ => throw new InvalidOperationException(),
    };

    private static string Text(DiscoveredBackend b) => string.Create(
        CultureInfo.InvariantCulture,
        $"{b.Name}={b.Address}*{b.Weight}{(b.Backup ? " backup" : "")}{(b.MaxConnections > 0 ? $" max {b.MaxConnections}" : "")}{(b.PublicUrl.Length > 0 ? $" {b.PublicUrl}" : "")}");

    private void Take(SourceReading reading)
    {
        Assert.That(Interlocked.Increment(ref _inside), Is.EqualTo(1), "two readings at once");
        lock (_gate)
        {
            _reports.Add(Text(reading));
        }

        Interlocked.Decrement(ref _inside);
    }
}
