using System.Collections.Immutable;
using L4Balancer.Core.Config;
using L4Balancer.Logging;
using L4Balancer.Systemd;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Hosting;

/// <summary>Runs a configuration in the foreground, from its start to the signal that ends it.</summary>
internal sealed class Foreground(Signals signals, TextWriter errors)
{
    /// <summary>What the engine gets to reset what is left, once it must stop at once.</summary>
    private static readonly TimeSpan LastMoment = TimeSpan.FromSeconds(2);

    /// <summary>After this long an end becomes one at once, as by a second signal; null: never.</summary>
    public TimeSpan? AtOnceAfter { get; init; }

    /// <summary>Called when the daemon takes connections.</summary>
    public Action<Daemon> Started { get; init; } = static _ => { };

    /// <returns>The exit code.</returns>
    public async Task<int> RunAsync(BalancerConfig config)
    {
        bool journal = ServiceEnvironment.OutputIsJournal(Environment.GetEnvironmentVariable, Console.IsOutputRedirected);
        TimeProvider clock = TimeProvider.System;
        using var output = new LogOutput(
            Console.OpenStandardOutput(), LogSetup.FormatFor(config.Balancer.LogFormat, journal), clock);
        using ILoggerFactory loggers = LogSetup.CreateFactory(output, config.Balancer.LogLevel, clock);
        using var systemd = new SystemdNotifier(Environment.GetEnvironmentVariable(SystemdNotifier.Variable));
        ILogger log = loggers.CreateLogger<Foreground>();
        var daemon = new Daemon(clock, output, loggers, systemd);
        ImmutableArray<string> faults = await daemon.StartAsync(config);
        if (!faults.IsEmpty)
        {
            await daemon.DisposeAsync();
            foreach (string fault in faults)
            {
                errors.WriteLine($"l4balancer: {fault}");
            }

            return ExitCode.Failed;
        }

        Started(daemon);
        Signal signal = await NextStopAsync(log, CancellationToken.None);
        if (!await StopAsync(daemon, config.Balancer.ShutdownGrace, signal, log))
        {
            // What hangs in the engine would hang in its disposal too; the kernel takes the sockets with the process.
            return ExitCode.Failed;
        }

        await daemon.DisposeAsync();
        log.Stopped();
        return ExitCode.Fine;
    }

    /// <returns>False where the engine did not end.</returns>
    private async Task<bool> StopAsync(Daemon daemon, TimeSpan grace, Signal signal, ILogger log)
    {
        log.Draining(Signals.NameOf(signal), daemon.Connections, grace);
        using var atOnce = new CancellationTokenSource();
        using var stopped = new CancellationTokenSource();
        if (AtOnceAfter is TimeSpan limit)
        {
            atOnce.CancelAfter(limit);
        }

        Task second = StopAtOnceOnSignalAsync(daemon, atOnce, log, stopped.Token);
        Task stopping = daemon.StopAsync(grace, atOnce.Token);
        bool ended = await EndsAsync(stopping, atOnce.Token);
        await stopped.CancelAsync();
        await second;
        if (!ended)
        {
            log.EngineHangs(daemon.Connections);
        }

        return ended;
    }

    private static async Task<bool> EndsAsync(Task stopping, CancellationToken atOnce)
    {
        try
        {
            await stopping.WaitAsync(atOnce);
            return true;
        }
        catch (OperationCanceledException) when (atOnce.IsCancellationRequested)
        {
            await Task.WhenAny(stopping, Task.Delay(LastMoment, CancellationToken.None));
            return stopping.IsCompleted;
        }
    }

    private async Task StopAtOnceOnSignalAsync(Daemon daemon, CancellationTokenSource atOnce, ILogger log, CancellationToken stopped)
    {
        try
        {
            Signal signal = await NextStopAsync(log, stopped);
            log.StoppingAtOnce(Signals.NameOf(signal), daemon.Connections);
            await atOnce.CancelAsync();
        }
        catch (OperationCanceledException)
        {
            // It ended by itself.
        }
    }

    /// <summary>Waits for a signal that ends the daemon; the others are answered in passing.</summary>
    private async Task<Signal> NextStopAsync(ILogger log, CancellationToken cancelled)
    {
        while (true)
        {
            Signal signal = await signals.Arrived.ReadAsync(cancelled);
            switch (signal)
            {
                case Signal.Hangup:
                    log.SignalNotSupported(Signals.NameOf(signal), "reloading the configuration");
                    break;
                case Signal.User2:
                    log.SignalNotSupported(Signals.NameOf(signal), "upgrading the running process");
                    break;
                default:
                    return signal;
            }
        }
    }
}
