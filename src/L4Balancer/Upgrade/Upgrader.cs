using System.Runtime.Versioning;
using L4Balancer.Core.Accounting;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Upgrade;

/// <summary>
/// Replaces this process by a new one: starts it, hands everything over (<see cref="OldSide"/>), and says when this process is to end
/// (<see cref="Replaced"/>). One upgrade at a time. Any thread.
/// </summary>
/// <param name="whyNot">Why this process cannot be upgraded at all, or not now; null: it can.</param>
/// <param name="config">The path of the configuration file; null if the configuration was not read from a file.</param>
/// <param name="giver">Made for each upgrade.</param>
/// <param name="thread">
/// Starts the new process and hands over: while connections stand still, nothing must wait for a thread of the pool.
/// </param>
/// <param name="before">The upgrade by which this process came; null if it was started otherwise.</param>
internal sealed class Upgrader(
    Func<string?> whyNot, string? config, Func<IUpgradeGiver> giver, UpgradeCounters counters, UpgradeRun? before, UpgradeFaults faults,
    UpgradeThread thread,
    TimeProvider clock, ILogger<Upgrader> log)
    : IDisposable
{
    private readonly Lock _gate = new();
    private readonly TaskCompletionSource _replaced = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stopping = new();
    private UpgradeRun? _run = before;
    private UpgradeFaults _faults = faults;
    private OldSide? _side;
    private bool _isBusy;
    private bool _isOver;
    private HeldReloads _reloads = HeldReloads.None;
    private int _released;
    private Task _working = Task.CompletedTask;

    /// <summary>
    /// Called after a failed upgrade whose new process had taken connections and has ended: recovers them, if its keeper holds them.
    /// </summary>
    public Func<IReadOnlyList<UpgradeConnection>, Task> Recover { get; init; } = static _ => Task.CompletedTask;

    /// <summary>Reads the configuration again; its argument is who asked. Must not throw.</summary>
    public Func<string, Task> Reload { get; init; } = static _ => Task.CompletedTask;

    /// <summary>The upgrade that is under way, or the last one that this process knows; null if there was none.</summary>
    public UpgradeProgress? Now => _run?.Now;

    /// <summary>Whether one is under way, in either process.</summary>
    public bool IsBusy => _isBusy || _run?.Now.IsRunning == true;

    /// <summary>Completes when another process has taken over and this one is to end, without a word to the service manager.</summary>
    public Task Replaced => _replaced.Task;

    /// <summary>Begins an upgrade, which goes on in the background.</summary>
    /// <param name="who">Who asked, for the log.</param>
    /// <param name="binary">The file of the new process; null: the one that this process was started from.</param>
    /// <param name="refusal">Why not.</param>
    /// <returns>Null if it did not begin.</returns>
    public UpgradeProgress? Begin(string who, string? binary, out string refusal)
    {
        UpgradeProgram program = binary is null ? UpgradeProgram.Own : UpgradeProgram.Of(binary);
        lock (_gate)
        {
            refusal = WhyNotNow(program) ?? "";
            if (refusal.Length > 0 || !OperatingSystem.IsLinux())
            {
                log.UpgradeRefused(who, refusal);
                return null;
            }

            var begun = new UpgradeProgress(Guid.NewGuid().ToString("N"), who, clock.GetUtcNow()) { OldProcess = Environment.ProcessId };
            var run = new UpgradeRun(begun, clock);
            _run = run;
            (_reloads, _released) = (HeldReloads.None, 0);
            _isBusy = true;
            UpgradeFaults mine = _faults;
            var limits = UpgradeLimits.For(mine);
            _faults = UpgradeFaults.None;
            log.UpgradeBegins(who, program.File);
            _working = RunAsync(program, run, mine, limits);
            return run.Now;
        }
    }

    /// <summary>
    /// Holds a reload back while an upgrade is under way, whose new process has read the file: it is done afterwards by the process that
    /// serves then.
    /// </summary>
    /// <param name="who">Who asked, for the log.</param>
    /// <returns>False if no upgrade is under way: the caller reloads.</returns>
    public bool HoldReload(string who)
    {
        lock (_gate)
        {
            if (!IsBusy)
            {
                return false;
            }

            _reloads = new HeldReloads(_reloads.Count + 1, who);
        }

        log.ReloadHeld(who);
        ReleaseReloads();
        return true;
    }

    /// <summary>Does what was held back, once the upgrade is over and this process serves.</summary>
    public void ReleaseReloads()
    {
        string who;
        lock (_gate)
        {
            if (IsBusy || _isOver || _reloads.Count == _released)
            {
                return;
            }

            _released = _reloads.Count;
            who = _reloads.Who;
        }

        _ = Reload(who);
    }

    /// <summary>This process is to stop: an upgrade under way is given up, unless the new process is the main one already.</summary>
    public async Task StopAsync()
    {
        await _stopping.CancelAsync();
        if (OperatingSystem.IsLinux())
        {
            Volatile.Read(ref _side)?.Stop();
        }

        await _working;
    }

    public void Dispose() => _stopping.Dispose();

    [SupportedOSPlatform("linux")]
    private Task RunAsync(UpgradeProgram program, UpgradeRun run, UpgradeFaults mine, UpgradeLimits limits) =>
        Task.Run(() => UpgradeAsync(program, run, mine, limits));

    private string? WhyNotNow(UpgradeProgram program) =>
        !OperatingSystem.IsLinux() ? "an upgrade needs Linux"
        : config is null ? "this daemon was not started from a configuration file, so that a new process would not know what to run"
        : Environment.ProcessId == 1
            ? "this is process 1: its end would end the container with every process in it, the new one too. Replace the container instead"
        : IsBusy ? "an upgrade is under way already: l4balancer status shows it"
        : _isOver || _stopping.IsCancellationRequested ? "this process is stopping"
        : program.WhyNot() ?? whyNot();

    [SupportedOSPlatform("linux")]
    private async Task UpgradeAsync(UpgradeProgram program, UpgradeRun run, UpgradeFaults mine, UpgradeLimits limits)
    {
        UpgradeProcess? process = null;
        OldSide? side = null;
        IUpgradeGiver? own = null;
        try
        {
            await UpgradeProcess.CheckAsync(program, config!, limits.Check, mine.IsAny, _stopping.Token);
            run.Enter(UpgradeStep.Starting);
            own = giver();
            process = await thread.RunAsync(() => Start(program, config!, mine.IsAny));
            run.Change(now => now with { NewProcess = process.Id });
            OldSide leading = side = new OldSide(own, process.Channel, run, mine, limits, clock) { Reloads = () => _reloads };
            Volatile.Write(ref _side, side);
            _stopping.Token.ThrowIfCancellationRequested();

            await thread.RunAsync(() => Lead(leading));
            await LeaveAsync(leading, run);
        }
        catch (Exception e) when (side is { HasGivenUp: true })
        {
            // The service manager has the new process as the main one, whatever became of it.
            log.UpgradeBroke(e);
            await LeaveAsync(side, run);
        }
        catch (Exception e)
        {
            await FailAsync(e, run, process, side, own);
        }
        finally
        {
            Volatile.Write(ref _side, null);
            _isBusy = false;
            process?.Dispose();
            ReleaseReloads();
        }
    }

    [SupportedOSPlatform("linux")]
    private static UpgradeProcess Start(UpgradeProgram program, string config, bool withFault) =>
        UpgradeProcess.Start(program, config, withFault);

    [SupportedOSPlatform("linux")]
    private static bool Lead(OldSide side)
    {
        side.Move();
        return true;
    }

    [SupportedOSPlatform("linux")]
    private async Task LeaveAsync(OldSide side, UpgradeRun run)
    {
        UpgradeProgress now = run.Now;
        _isOver = true;
        log.UpgradeDone(now.NewProcess, now.Moved, now.Left, now.Longest.TotalMilliseconds);
        await side.FinishAsync(_stopping.Token);
        _replaced.TrySetResult();
    }

    [SupportedOSPlatform("linux")]
    private async Task FailAsync(Exception why, UpgradeRun run, UpgradeProcess? process, OldSide? side, IUpgradeGiver? own)
    {
        string text = _stopping.IsCancellationRequested ? "this process is stopping"
            : why is UpgradeException ? why.Message
            : $"a fault of this process: {why.Message}";
        if (process is not null)
        {
            if (side is null or { IsInDoubt: false })
            {
                process.Channel.TrySendFault(text);
            }

            if (why is UpgradePeerEndedException)
            {
                process.WaitForEnd();
            }

            text = process.End() is string ended ? $"{text} ({ended})" : text;
        }

        if (why is UpgradeException or OperationCanceledException)
        {
            log.UpgradeFailed(text);
        }
        else
        {
            log.UpgradeBroke(why);
        }

        await GoOnAsync(process, side, own);

        // Who waits for the end of this upgrade finds every connection here again, and may begin another one.
        counters.Count(success: false);
        _isBusy = false;
        run.Fail(text);
    }

    /// <summary>This process goes on: it accepts again, and takes back what the new process had when it ended.</summary>
    [SupportedOSPlatform("linux")]
    private async Task GoOnAsync(UpgradeProcess? process, OldSide? side, IUpgradeGiver? own)
    {
        try
        {
            if (side is not null)
            {
                await own!.ResumeAsync();
            }

            if (process is not null)
            {
                await Recover(side?.Given ?? []);
            }
        }
        catch (Exception e)
        {
            log.UpgradeBroke(e);
        }
    }
}

/// <summary>Reloads that were asked for during an upgrade.</summary>
/// <param name="Count">How many so far.</param>
/// <param name="Who">Who asked for the last one.</param>
internal sealed record HeldReloads(int Count, string Who)
{
    public static readonly HeldReloads None = new(0, "");
}
