using System.Diagnostics;
using System.Net;
using L4Balancer.Tests.Truth;

namespace L4Balancer.Tests.Chaos;

/// <summary>
/// One run: load and chaos for a time, a quiet period in which the books are compared, then SIGTERM under load. What the
/// daemon does wrong is a violation, not an exception.
/// </summary>
internal sealed class ChaosRun(ChaosScene scene, AdminAsk ask, ProcessFigures figures)
{
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LastLoad = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    /// <summary>What a stop may take beyond its grace and the time for peers that do not close: the machine may be busy.</summary>
    private static readonly TimeSpan ALittle = TimeSpan.FromSeconds(3);

    /// <summary>For peers that do not close (docs: "How a connection is closed").</summary>
    private static readonly TimeSpan CloseGrace = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan LongestRest = TimeSpan.FromSeconds(15);

    /// <summary>Sockets that may be there after the load and were not before: those of requests to the API that end later.</summary>
    private const int MoreSockets = 3;

    private static readonly string[] Faults = ["\"exception\":", "\"level\":\"fatal\""];
    private static readonly string[] Losses = ["access log fell behind", "log lines were"];

    private readonly MetricsWatch _watch = new(scene.Violations);

    /// <param name="say">Called with progress and with each violation as it is found.</param>
    public static async Task<ChaosResult> RunAsync(ChaosOptions options, Action<string> say)
    {
        using var site = new Site();
        using var silent = new SilentPort();
        using var end = new CancellationTokenSource();
        var violations = new Violations { Found = v => say($"VIOLATION ({options}) at {v}") };
        var ledger = new Ledger(options.Seed, violations) { MayBeUncounted = options.Engine == "managed" ? 64 << 10 : 0 };
        ChaosBackend[] backends =
            [.. Enumerable.Range(0, ConfigWriter.Backends).Select(i => new ChaosBackend(Site.BackendAt(i), ledger, end.Token))];
        Array.ForEach(backends, b => b.Start());
        var configs = new ConfigWriter(site, options, silent.Endpoint);
        await File.WriteAllTextAsync(site.ConfigPath, configs.Plain());
        bool Taken(string line)
        {
            if (AccessEntry.TryParse(line) is not AccessEntry entry)
            {
                return false;
            }

            ledger.Logged(entry);
            return true;
        }

        await using DaemonProcess daemon = DaemonProcess.Start(
            new Dictionary<string, string>(), [], Taken, "run", "--config", site.ConfigPath);
        using var scene = new ChaosScene(options, site, configs, ledger, daemon, backends);
        await daemon.ReadyAsync();
        using var ask = new AdminAsk(scene);
        var figures = new ProcessFigures();
        var run = new ChaosRun(scene, ask, figures);
        TimeSpan load = await run.PlayAsync(say);
        await end.CancelAsync();
        Array.ForEach(backends, b => b.Kill());
        string report = figures.Write(scene, run._watch, load);
        say(report);
        if (violations.Count > 0)
        {
            say($"again: make chaos {options}");
        }

        return new ChaosResult(violations.Count, violations.First, report);
    }

    /// <returns>How long there was load.</returns>
    private async Task<TimeSpan> PlayAsync(Action<string> say)
    {
        await MeasureBeforeAsync();
        var watch = Stopwatch.StartNew();
        using (var stop = new CancellationTokenSource())
        {
            stop.CancelAfter(scene.Options.Duration);
            Task alive = WatchProcessAsync(stop);
            var disturbances = new Disturbances(scene, ask);
            var reloads = new Reloads(scene, ask);
            Task clients = new ClientCrowd(scene).RunAsync(stop.Token);
            await Task.WhenAll(
                disturbances.RunAsync(stop.Token),
                disturbances.LoopAsync("reloads", 500, 3000, reloads.OneAsync, stop.Token),
                disturbances.LoopAsync("scrapes", 300, 700, ScrapeAsync, stop.Token),
                SettleAsync(say, watch, stop.Token),
                alive);
            disturbances.Undo();
            if (!scene.Daemon.HasExited)
            {
                await reloads.PlainAsync(CancellationToken.None);
            }

            await clients;
        }

        TimeSpan load = watch.Elapsed;
        if (!scene.Daemon.HasExited)
        {
            await RestAsync();
            await StopUnderLoadAsync();
        }

        scene.Ledger.Settle(everything: true);
        CheckLog();
        return load;
    }

    private async Task MeasureBeforeAsync()
    {
        // What is made at first use (connections of the API, threads, pipes) is made before.
        using var stop = new CancellationTokenSource(WarmUp);
        await new ClientCrowd(scene).RunAsync(stop.Token);
        await ScrapeAsync(new Random(0), CancellationToken.None);
        figures.SocketsBefore = await SettledSocketsAsync();
        figures.DescriptorsBefore = scene.OpenDescriptors;
        figures.MemoryBefore = figures.MostMemory = scene.Daemon.ResidentBytes;
    }

    private async Task WatchProcessAsync(CancellationTokenSource stop)
    {
        while (!stop.IsCancellationRequested)
        {
            // The pace of the samples; those of the other loops here are looks at a condition with a deadline.
            await Task.Delay(100, stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (scene.Daemon.HasExited)
            {
                string[] last = [.. scene.Daemon.Output.TakeLast(30), .. scene.Daemon.Errors];
                scene.Violations.Add($"the daemon died:\n{string.Join('\n', last)}");
                await stop.CancelAsync();
                return;
            }

            figures.MostMemory = Math.Max(figures.MostMemory, scene.Daemon.ResidentBytes);
        }
    }

    private async Task ScrapeAsync(Random random, CancellationToken stop)
    {
        bool local = random.Next(2) == 0;
        if (await ask.ScrapeAsync(local, stop) is string text)
        {
            _watch.Compare(text, local);
        }
    }

    private async Task SettleAsync(Action<string> say, Stopwatch watch, CancellationToken stop)
    {
        for (int seconds = 1; !stop.IsCancellationRequested; seconds++)
        {
            await Task.Delay(Second, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            scene.Ledger.Settle(everything: false);
            if (seconds % 30 == 0)
            {
                say($"{watch.Elapsed.TotalSeconds:F0} s: {scene.Ledger.Totals.Lines} connections, {scene.Violations.Count} violations");
            }
        }
    }

    private async Task RestAsync()
    {
        await new RestCheck(scene, ask, _watch).RunAsync(CancellationToken.None);
        var waited = Stopwatch.StartNew();
        do
        {
            await Task.Delay(Second);
            figures.SocketsAfter = scene.OpenSockets;
        }
        while (figures.SocketsAfter > figures.SocketsBefore && waited.Elapsed < LongestRest);

        figures.DescriptorsAfter = scene.OpenDescriptors;
        figures.MemoryAfter = scene.Daemon.ResidentBytes;
        if (figures.SocketsAfter > figures.SocketsBefore + MoreSockets)
        {
            scene.Violations.Add($"at rest: {figures.SocketsAfter} sockets, {figures.SocketsBefore} before the load");
        }

        scene.Ledger.Settle(everything: true);
    }

    private async Task StopUnderLoadAsync()
    {
        scene.Ledger.IsLast = true;
        using var stop = new CancellationTokenSource();
        Task clients = new ClientCrowd(scene).RunAsync(stop.Token);

        // The length of the load, not a wait for a state.
        await Task.Delay(LastLoad);
        var watch = Stopwatch.StartNew();
        scene.Daemon.Signal(DaemonProcess.SIGTERM);
        TimeSpan longest = ConfigWriter.ShutdownGrace + CloseGrace + ALittle;
        while (!scene.Daemon.HasExited && watch.Elapsed < longest + longest)
        {
            await Task.Delay(20);
        }

        figures.Stop = scene.Daemon.HasExited ? watch.Elapsed : null;
        if (watch.Elapsed > longest)
        {
            string fate = figures.Stop is null ? "still there" : "ended";
            scene.Violations.Add($"SIGTERM under load: {fate} after {watch.Elapsed.TotalSeconds:F1} s, more than {longest.TotalSeconds} s");
        }

        await stop.CancelAsync();
        if (figures.Stop is null)
        {
            scene.Daemon.Signal(DaemonProcess.SIGKILL);
        }

        int code = await scene.Daemon.ExitAsync();
        if (code != 0)
        {
            scene.Violations.Add($"the daemon ended with exit code {code}");
        }

        await clients;

        // The backends see the ends of their connections a moment later.
        for (watch.Restart(); !scene.Backends.All(static b => b.IsIdle) && watch.Elapsed < LongestRest;)
        {
            await Task.Delay(20);
        }
    }

    /// <summary>The sockets that are left of a load: the first number that does not change for <see cref="WarmUp"/>.</summary>
    private async Task<int> SettledSocketsAsync()
    {
        int sockets = scene.OpenSockets;
        var waited = Stopwatch.StartNew();
        for (var unchanged = Stopwatch.StartNew(); unchanged.Elapsed < WarmUp && waited.Elapsed < LongestRest;)
        {
            await Task.Delay(100);
            if (scene.OpenSockets != sockets)
            {
                sockets = scene.OpenSockets;
                unchanged.Restart();
            }
        }

        return sockets;
    }

    private void CheckLog()
    {
        foreach (string line in scene.Daemon.Output)
        {
            if (Array.Exists(Faults, f => line.Contains(f, StringComparison.Ordinal)))
            {
                scene.Violations.Add($"the daemon logged a fault: {line}");
            }
            else if (Array.Exists(Losses, l => line.Contains(l, StringComparison.Ordinal)))
            {
                scene.Violations.Add($"the log lost lines, so that the books cannot agree: {line}");
            }
        }

        foreach (string line in scene.Daemon.Errors)
        {
            scene.Violations.Add($"the daemon wrote to standard error: {line}");
        }
    }
}
