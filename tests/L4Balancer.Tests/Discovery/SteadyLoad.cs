using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;

namespace L4Balancer.Tests.Discovery;

/// <summary>Clients that connect, ask once and leave, at a steady rate. What is late is made up for, so that the rate holds on average.</summary>
internal sealed class SteadyLoad : IDisposable
{
    private const int MostAtOnce = 200;

    private readonly IPEndPoint _front;
    private readonly SemaphoreSlim _places = new(MostAtOnce);
    private readonly CancellationTokenSource _stop = new();
    private readonly Stopwatch _lasted = Stopwatch.StartNew();
    private readonly Task _running;
    private int _count;

    public SteadyLoad(IPEndPoint front, int perSecond)
    {
        _front = front;
        _running = Task.Run(() => RunAsync(perSecond));
    }

    /// <summary>Connects that have got their answer, or failed.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Connects a second, from the start to the last one.</summary>
    public double Rate => Count / _lasted.Elapsed.TotalSeconds;

    public ConcurrentQueue<string> Failures { get; } = [];

    /// <summary>Waits for this many more.</summary>
    public async Task ConnectsAsync(int count, int? from = null)
    {
        int begun = from ?? Count;
        using var deadline = new CancellationTokenSource(DaemonProcess.Deadline);
        using var looks = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        while (Count - begun < count)
        {
            await looks.WaitForNextTickAsync(deadline.Token);
        }
    }

    /// <summary>Completes when the last client has left; a second time does nothing.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _running;
    }

    public void Dispose()
    {
        _places.Dispose();
        _stop.Dispose();
    }

    private async Task RunAsync(int perSecond)
    {
        long began = Stopwatch.GetTimestamp();
        using var ticks = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        for (int begun = 0; !_stop.IsCancellationRequested; begun++)
        {
            while (begun > Stopwatch.GetElapsedTime(began).TotalSeconds * perSecond)
            {
                await ticks.WaitForNextTickAsync();
            }

            await _places.WaitAsync();
            _ = ComeAsync();
        }

        // All places are free when nobody is under way.
        for (int i = 0; i < MostAtOnce; i++)
        {
            await _places.WaitAsync();
        }

        _lasted.Stop();
    }

    private async Task ComeAsync()
    {
        try
        {
            using HeldConnection client = await HeldConnection.OpenAsync(_front);
        }
        catch (Exception e)
        {
            Failures.Enqueue($"{DateTime.UtcNow:O} {e.Message}");
        }
        finally
        {
            Interlocked.Increment(ref _count);
            _places.Release();
        }
    }
}
