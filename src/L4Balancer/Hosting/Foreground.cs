using System.Collections.Immutable;
using L4Balancer.Control;
using L4Balancer.Core.Config;
using L4Balancer.Logging;
using L4Balancer.Recovery;
using L4Balancer.Systemd;
using L4Balancer.Upgrade;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Hosting;

/// <summary>Runs a configuration in the foreground, from its start to the signal that ends it.</summary>
internal sealed class Foreground(Signals signals, TextWriter errors)
{
    /// <summary>The time that the engine gets to reset the remaining connections, once it must stop immediately.</summary>
    private static readonly TimeSpan LastMoment = TimeSpan.FromSeconds(4);

    private int _reloadsAsked;
    private Task _reloading = Task.CompletedTask;

    /// <summary>The time after which an orderly stop becomes an immediate one, as by a second signal; null: never.</summary>
    public TimeSpan? AtOnceAfter { get; init; }

    /// <summary>What lets connections outlive the daemon; ended by a stop in good order before anything is closed.</summary>
    public ConnectionKeeper Keeper { get; init; } = ConnectionKeeper.None("a demo has no use for it");

    /// <summary>The process that this one replaces; null: none.</summary>
    public Takeover? Takeover { get; init; }

    public UpgradeFaults Faults { get; init; } = UpgradeFaults.None;

    /// <summary>Called when the daemon accepts connections.</summary>
    public Action<Daemon> Started { get; init; } = static _ => { };

    /// <param name="config">The configuration to run.</param>
    /// <param name="path">The file of the configuration, for reloads; null if it was not read from a file.</param>
    /// <param name="stamp">The stamp of that file before it was read.</param>
    /// <returns>The exit code.</returns>
    public async Task<int> RunAsync(BalancerConfig config, string? path, object? stamp = null)
    {
        TimeProvider clock = TimeProvider.System;
        using var output = new LogOutput(
            Console.OpenStandardOutput(), LogSetup.FormatFor(config.Balancer.LogFormat, ServiceEnvironment.OutputIsJournal()), clock);
        var level = new LevelSwitch(config.Balancer.LogLevel);
        using ILoggerFactory loggers = LogSetup.CreateFactory(output, level, clock);
        using var systemd = ServiceNotifications.ToManager(loggers.CreateLogger<ServiceNotifications>());
        ILogger log = loggers.CreateLogger<Foreground>();
        if (Faults.IsAny)
        {
            log.FaultsAsked(UpgradeFaults.Variable, Faults.ToString());
        }

        var daemon = new Daemon(clock, output, level, loggers, systemd)
        {
            FileStamp = stamp,
            Keeper = Keeper,
            Takeover = Takeover,
            Faults = Faults,
        };
        using var hurry = new CancellationTokenSource();

        // Started elsewhere, so that a step that blocks does not keep signals from being answered.
        Task<ImmutableArray<string>> starting = Task.Run(() => daemon.StartAsync(config, path, hurry.Token));
        Signal? early = await signals.StopBeforeAsync(starting);
        if (early is not null)
        {
            await hurry.CancelAsync();
            await Task.WhenAny(starting, Task.Delay(LastMoment));
            if (!starting.IsCompleted)
            {
                log.StoppedWhileStarting(Signals.NameOf(early.Value));
                return ExitCode.Fine;
            }
        }

        ImmutableArray<string> faults = await starting;
        if (!faults.IsEmpty)
        {
            await daemon.DisposeAsync();
            foreach (string fault in faults)
            {
                errors.WriteLine($"l4balancer: {fault}");
            }

            return ExitCode.Failed;
        }

        if (early is null)
        {
            Started(daemon);
        }

        Signal? signal = early ?? await NextEndAsync(daemon, log);
        if (signal is null)
        {
            Keeper.Stop();
            await _reloading;
            await daemon.LeaveAsync(CancellationToken.None);
            log.Replaced();
            return ExitCode.Fine;
        }

        await daemon.EndUpgradeAsync().WaitAsync(LastMoment, CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await daemon.EndTakeoverAsync();
        if (!await StopAsync(daemon, signal.Value, log))
        {
            // An engine that hangs would hang in its disposal too; the kernel closes the sockets when the process ends.
            return ExitCode.Failed;
        }

        await _reloading;
        await (daemon.IsReplaced ? daemon.LeaveAsync(CancellationToken.None) : daemon.DisposeAsync().AsTask());
        log.Stopped();
        return ExitCode.Fine;
    }

    /// <returns>False if the engine did not end.</returns>
    private async Task<bool> StopAsync(Daemon daemon, Signal signal, ILogger log)
    {
        // First: from now on what is closed is closed, and what a kill leaves open is not for anybody to take over.
        Keeper.Stop();
        using var atOnce = new CancellationTokenSource();
        using var stopped = new CancellationTokenSource();
        if (AtOnceAfter is TimeSpan limit)
        {
            atOnce.CancelAfter(limit);
        }

        Task second = StopAtOnceOnSignalAsync(daemon, atOnce, log, stopped.Token);
        Task stopping = DelayAndStopAsync(daemon, signal, log, atOnce.Token);
        bool ended = await EndsAsync(daemon, stopping, atOnce.Token);
        await stopped.CancelAsync();
        await second;
        if (!ended)
        {
            log.EngineHangs(daemon.Connections);
        }

        return ended;
    }

    private static async Task DelayAndStopAsync(Daemon daemon, Signal signal, ILogger log, CancellationToken atOnce)
    {
        (TimeSpan delay, TimeSpan grace) = (daemon.Config.Balancer.ShutdownDelay, daemon.Config.Balancer.ShutdownGrace);
        daemon.Drain();
        if (delay > TimeSpan.Zero)
        {
            log.Delaying(Signals.NameOf(signal), Duration.Format(delay));
            await Task.Delay(delay, atOnce).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        log.Draining(Signals.NameOf(signal), daemon.Connections, Duration.Format(grace));
        await daemon.StopAsync(grace, atOnce);
    }

    private static async Task<bool> EndsAsync(Daemon daemon, Task stopping, CancellationToken atOnce)
    {
        try
        {
            await stopping.WaitAsync(atOnce);
        }
        catch (OperationCanceledException) when (atOnce.IsCancellationRequested)
        {
            await Task.WhenAny(stopping, Task.Delay(LastMoment, CancellationToken.None));
        }

        return stopping.IsCompleted && daemon.Connections == 0;
    }

    private async Task StopAtOnceOnSignalAsync(Daemon daemon, CancellationTokenSource atOnce, ILogger log, CancellationToken stopped)
    {
        try
        {
            Signal signal = await NextStopAsync(daemon, log, stopped);
            log.StoppingAtOnce(Signals.NameOf(signal), daemon.Connections);
            await atOnce.CancelAsync();
        }
        catch (OperationCanceledException)
        {
            // The stop completed before another signal came.
        }
    }

    // A file that cannot be read delays a reload, but not the handling of later signals. Hangups that arrive during a reload are combined
    // into one reload after it.
    private void Reload(Daemon daemon, string signal, ILogger log)
    {
        if (Interlocked.Increment(ref _reloadsAsked) == 1)
        {
            _reloading = ReloadAllAsync(daemon, signal, log);
        }
    }

    private async Task ReloadAllAsync(Daemon daemon, string signal, ILogger log)
    {
        int served;
        do
        {
            served = Volatile.Read(ref _reloadsAsked);
            await GuardedReload.RunAsync(daemon.ReloadAsync, signal, log);
        }
        while (Interlocked.Add(ref _reloadsAsked, -served) != 0);
    }

    /// <summary>
    /// Waits for a signal that ends the daemon, or until a new process has replaced it; other signals are handled meanwhile.
    /// </summary>
    /// <returns>Null if it was replaced.</returns>
    private async Task<Signal?> NextEndAsync(Daemon daemon, ILogger log)
    {
        using var replaced = new CancellationTokenSource();
        Task<Signal> stop = NextStopAsync(daemon, log, replaced.Token);
        if (await Task.WhenAny(stop, daemon.Replaced) == stop)
        {
            return await stop;
        }

        await replaced.CancelAsync();
        try
        {
            // A signal that came in this moment is still to be obeyed; the connections left end all the same.
            return await stop;
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    /// <summary>Waits for a signal that ends the daemon; the others are handled meanwhile.</summary>
    private async Task<Signal> NextStopAsync(Daemon daemon, ILogger log, CancellationToken cancelled)
    {
        while (true)
        {
            Signal signal = await signals.Arrived.ReadAsync(cancelled);
            switch (signal)
            {
                case Signal.Hangup when daemon.HoldsReload(Signals.NameOf(signal)):
                    break;
                case Signal.Hangup:
                    Reload(daemon, Signals.NameOf(signal), log);
                    break;
                case Signal.User1:
                    log.SignalNotUsed(Signals.NameOf(signal));
                    break;
                case Signal.User2:
                    daemon.Upgrade(Signals.NameOf(signal));
                    break;
                default:
                    return signal;
            }
        }
    }
}
