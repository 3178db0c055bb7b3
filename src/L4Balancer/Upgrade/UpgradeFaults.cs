using System.Diagnostics;
using System.Globalization;
using System.Runtime.Versioning;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Upgrade;

/// <summary>
/// Faults on demand, for tests: the environment variable L4BALANCER_FAULT holds <c>STEP:ACTION</c>, or <c>STEP@N:ACTION</c> for the
/// N-th time that the step is reached. Steps of the old process begin with <c>old.</c>, those of the new one with <c>new.</c>; they are
/// the constants of <see cref="OldSide"/> and <see cref="NewSide"/>. Actions: <c>kill</c>, <c>stop</c> and <c>term</c> (SIGKILL,
/// SIGSTOP and SIGTERM to this process), <c>exit</c>, <c>hang</c> (this thread sleeps for ever), and for <c>new.hello</c> what it says
/// of itself: <c>other-version</c> (it speaks only the next version), <c>next-version</c> (both, with an optional field that this one
/// does not know), <c>next-mandatory</c> (with one that must be understood). The step <c>none</c> is never reached. Without the
/// variable there are none. A fault holds for the first upgrade of the process that has the variable, and for the new process of that.
/// </summary>
internal sealed class UpgradeFaults
{
    public const string Variable = "L4BALANCER_FAULT";

    /// <summary>A signal to the process itself may reach this thread only after it has gone on for a moment.</summary>
    private static readonly TimeSpan UntilItComes = TimeSpan.FromMilliseconds(100);

    /// <summary>How long a stop may take to be noticed.</summary>
    private static readonly TimeSpan UntilItStops = TimeSpan.FromSeconds(10);

    public static readonly UpgradeFaults None = new("", "", 0);

    private const string AtNewHello = "new.hello";

    private static readonly string[] Steps =
    [
        "none", "old.hello", "old.prepared", "old.suspended", "old.serving", "old.stopped", "old.frozen", "old.sent", "old.answered",
        "old.committed", "old.moved", "old.main", "old.settled", AtNewHello, "new.prepare", "new.prepared", "new.state", "new.serving",
        "new.slice", "new.answered", "new.committed", "new.taken", "new.rest", "new.settled",
    ];

    private static readonly string[] Actions = ["kill", "stop", "term", "exit", "hang"];
    private static readonly string[] ActionsAtHello = ["other-version", "next-version", "next-mandatory"];

    private readonly string _step;
    private readonly string _action;
    private readonly int _first;
    private int _left;

    private UpgradeFaults(string step, string action, int count)
    {
        _step = step;
        _action = action;
        _left = _first = count;
    }

    /// <summary>Whether a process that is started is to have it too.</summary>
    public bool IsAny => _step.Length > 0;

    /// <summary>Whether a process stops to answer by it.</summary>
    public bool IsSilent => _action is "hang" or "stop";

    /// <returns>Null if the variable does not have this form, or names what there is not.</returns>
    public static UpgradeFaults? FromEnvironment() => Parse(Environment.GetEnvironmentVariable(Variable));

    /// <summary>As the variable has it.</summary>
    public override string ToString() =>
        !IsAny ? "" : string.Create(CultureInfo.InvariantCulture, $"{_step}{(_first > 1 ? $"@{_first}" : "")}:{_action}");

    internal static UpgradeFaults? Parse(string? text)
    {
        if (string.IsNullOrEmpty(text))
        {
            return None;
        }

        if (text.Split(':') is not [string place, string action])
        {
            return null;
        }

        int n = 1;
        string[] parts = place.Split('@');
        bool isPlace = Steps.Contains(parts[0])
            && (parts.Length == 1
                || (parts.Length == 2 && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out n) && n > 0));
        bool isAction = Actions.Contains(action) || (parts[0] == AtNewHello && ActionsAtHello.Contains(action));
        return isPlace && isAction ? new UpgradeFaults(parts[0], action, n) : null;
    }

    /// <summary>Whether this is what the step does differently.</summary>
    public bool Is(string step, string action) => step == _step && action == _action;

    /// <summary>A step has been reached: does what the variable says, if it means this one.</summary>
    /// <param name="isStopping">Whether this process has begun to stop, as it does after SIGTERM.</param>
    public void At(string step, Func<bool>? isStopping = null)
    {
        if (step != _step || Interlocked.Decrement(ref _left) != 0 || !OperatingSystem.IsLinux())
        {
            return;
        }

        switch (_action)
        {
            case "kill" or "stop":
                Signal(_action);
                Thread.Sleep(UntilItComes);
                break;
            case "term":
                Signal(_action);
                SpinWait.SpinUntil(isStopping ?? (static () => false), isStopping is null ? UntilItComes : UntilItStops);
                break;
            case "exit":
                Environment.Exit(1);
                break;
            case "hang":
                Thread.Sleep(Timeout.Infinite);
                break;
            default:
                Debug.Assert(ActionsAtHello.Contains(_action), _action);
                break;
        }
    }

    /// <summary>Ends this process without any order: a keeper holds what it has.</summary>
    public static void Kill()
    {
        if (OperatingSystem.IsLinux())
        {
            Signal("kill");
        }
    }

    [SupportedOSPlatform("linux")]
    private static void Signal(string action)
    {
        using WatchedProcess? self = WatchedProcess.TryOpen(Environment.ProcessId);
        switch (action)
        {
            case "kill": self?.Kill(); break;
            case "stop": self?.Stop(); break;
            default: self?.Terminate(); break;
        }
    }
}
