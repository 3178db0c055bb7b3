using L4Balancer.Core.Discovery;
using L4Balancer.Discovery;

namespace L4Balancer.Tests.Discovery;

/// <summary>A source that is being watched, with every reading so far. Disposal ends the watch, which must take less than its second.</summary>
internal sealed class WatchedSource : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly List<SourceReading> _readings = [];
    private readonly Task _watching;
    private TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public WatchedSource(IBackendSource source) => _watching = Task.Run(() => source.WatchAsync(Take, _stop.Token));

    /// <summary>Those that a mark has not passed yet.</summary>
    public int Mark { get; private set; }

    public SourceReading[] SinceMark
    {
        get
        {
            lock (_readings)
            {
                return [.. _readings.Skip(Mark)];
            }
        }
    }

    /// <summary>Why readings so far were unknown.</summary>
    public string[] Faults
    {
        get
        {
            lock (_readings)
            {
                return [.. _readings.OfType<SourceReading.Unknown>().Select(static r => r.Why)];
            }
        }
    }

    /// <summary>The sets that were read so far, each once, in the order in which they came.</summary>
    public string[] Sets
    {
        get
        {
            lock (_readings)
            {
                return [.. _readings.OfType<SourceReading.Complete>().Select(static r => string.Join(", ", Texts(r))).Distinct()];
            }
        }
    }

    /// <summary>Waits for a whole reading with these backends, each as <c>address</c> or <c>address=weight</c>.</summary>
    public async Task<SourceReading.Complete> SetAsync(params string[] backends) =>
        (SourceReading.Complete)await NextAsync(r => r is SourceReading.Complete read && Texts(read).SequenceEqual(backends), string.Join(", ", backends));

    /// <summary>Waits for an unknown reading whose reason holds the text.</summary>
    public async Task<SourceReading.Unknown> UnknownAsync(string why) =>
        (SourceReading.Unknown)await NextAsync(r => r is SourceReading.Unknown read && read.Why.Contains(why, StringComparison.Ordinal), $"unknown: {why}");

    /// <summary>Waits for a reading after the mark, and moves the mark behind it.</summary>
    public async Task<SourceReading> NextAsync(Predicate<SourceReading> wanted, string what)
    {
        using var deadline = new CancellationTokenSource(DaemonProcess.Deadline);
        while (true)
        {
            Task next;
            lock (_readings)
            {
                int found = _readings.FindIndex(Mark, wanted);
                if (found >= 0)
                {
                    Mark = found + 1;
                    return _readings[found];
                }

                next = _next.Task;
            }

            try
            {
                await Task.WhenAny(next, _watching).WaitAsync(deadline.Token);
            }
            catch (OperationCanceledException)
            {
                Assert.Fail($"not read within {DaemonProcess.Deadline}: {what}\n{string.Join('\n', SinceMark.Select(Text))}");
            }

            Assert.That(_watching.IsCompleted, Is.False, $"the watch has ended: {_watching.Exception}");
        }
    }

    public static string Text(SourceReading reading) =>
        reading is SourceReading.Complete read ? $"[{string.Join(", ", Texts(read))}] {read.Version}" : ((SourceReading.Unknown)reading).Why;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _watching.WaitAsync(DaemonProcess.Deadline);
        _stop.Dispose();
    }

    private static IEnumerable<string> Texts(SourceReading.Complete read) =>
        read.Backends.Select(b => b.Weight == 100 ? b.Address.ToString() : $"{b.Address}={b.Weight}").Order(StringComparer.Ordinal);

    private void Take(SourceReading reading)
    {
        lock (_readings)
        {
            _readings.Add(reading);
            _next.SetResult();
            _next = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }
}
