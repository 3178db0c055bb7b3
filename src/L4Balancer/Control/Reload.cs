using System.Collections.Immutable;
using L4Balancer.Configuration;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Platform;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Control;

/// <summary>
/// Reads the configuration file again and puts it in force: everything that it says or nothing, and the log has why. One reload after the
/// other. The file is read beside the control loop, so that one that cannot be read holds up nothing.
/// </summary>
internal sealed class Reload : IDisposable
{
    private const string NoFile = "there is no file to reload: this daemon was started without one";

    private readonly SnapshotPublisher _publisher;
    private readonly NameControl _names;
    private readonly ControlQueue _queue;
    private readonly ControlEvents _events;
    private readonly ConfigSource? _source;
    private readonly long _descriptorLimit;
    private readonly ILogger _log;
    private readonly SemaphoreSlim _turn = new(1);
    private readonly CancellationTokenSource _ending = new();

    /// <param name="path">The file; null where the daemon was started without one.</param>
    /// <param name="descriptorLimit">How many descriptors the process may hold.</param>
    public Reload(
        SnapshotPublisher publisher, NameControl names, ControlQueue queue, ControlEvents events, string? path, long descriptorLimit,
        TimeProvider clock, ILogger log)
    {
        _publisher = publisher;
        _names = names;
        _queue = queue;
        _events = events;
        _source = path is null ? null : new ConfigSource(path, givenUp => Read(path, givenUp), clock);
        _descriptorLimit = descriptorLimit;
        _log = log;
    }

    /// <summary>
    /// Reads what else belongs to a configuration, on a thread where that may take its time, and answers what puts it in force: the
    /// control loop calls that once the reload has succeeded.
    /// </summary>
    public Func<BalancerConfig, Action> ReadsToo { get; set; } = static _ => static () => { };

    /// <summary>Any thread except the control loop's.</summary>
    /// <param name="who">Who asked, for the log.</param>
    /// <exception cref="ObjectDisposedException">The daemon stops.</exception>
    public async Task<ReloadResult> RunAsync(string who)
    {
        ObjectDisposedException.ThrowIf(_ending.IsCancellationRequested, this);
        CancellationToken ending = _ending.Token;
        try
        {
            await _turn.WaitAsync(ending);
            try
            {
                await _queue.AskAsync(new ReloadBegun());
                ReadConfig read = _source is null ? ReadConfig.Failed("", NoFile) : await _source.ReadAsync(ending);
                return await _queue.AskAsync(new ReloadRead(read, who));
            }
            finally
            {
                _turn.Release();
            }
        }
        catch (OperationCanceledException e) when (ending.IsCancellationRequested)
        {
            throw new ObjectDisposedException("The daemon stops.", e);
        }
    }

    /// <summary>Puts in force what has been read. Only the control loop calls this.</summary>
    /// <param name="who">Who asked, for the log.</param>
    public ReloadResult Apply(ReadConfig read, string who)
    {
        ReloadResult result = Guarded(read, who);
        InForce now = _publisher.Now;
        now.Snapshot.Cell.Reloads.Count(result.Outcome != ReloadOutcome.Failed);
        _names.Keep(now.Config);
        Log(result, who);
        return result;
    }

    /// <summary>A reload that waits for its file is given up, and no other begins.</summary>
    public void Dispose() => _ending.Cancel();

    // Whatever asks the disk or the machine is done here, on a thread of its own: it may hang, and only the reload waits for it.
    private ReadConfig Read(string path, CancellationToken givenUp)
    {
        ConfigFile file = ConfigFile.Load(path);
        if (givenUp.IsCancellationRequested || file.Config is not BalancerConfig config)
        {
            return new ReadConfig(file, [], static () => { });
        }

        _names.LookUp(config);
        ImmutableArray<string> lacking = PlatformNeeds.Missing(FixedAtStart.Keep(_publisher.Now.Config, config));
        return new ReadConfig(file, lacking, ReadsToo(config));
    }

    // An exception fails this reload only: it has a result, and the next one finds everything in its place.
    private ReloadResult Guarded(ReadConfig read, string who)
    {
        try
        {
            return PutInForce(read);
        }
        catch (Exception e)
        {
            _log.ReloadBroke(who, e);
            return Failed($"a fault of the daemon: {e.Message}");
        }
    }

    private ReloadResult PutInForce(ReadConfig read)
    {
        InForce before = _publisher.Now;
        if (read.File.Config is not BalancerConfig wanted)
        {
            return Failed([.. read.File.Errors]);
        }

        BalancerConfig config = FixedAtStart.Keep(before.Config, wanted);
        string[] needsRestart = [.. ConfigDiff.Between(config, wanted).Select(c => c.ToString())];
        IReadOnlyList<ConfigChange> changes = ConfigDiff.Between(before.Config, config);
        if (changes.Count > 0 && Replace(before, config, read.Lacking) is { IsEmpty: false } errors)
        {
            return Failed(errors);
        }

        read.Apply();
        _events.OnReloaded(_publisher.Now.Config);
        ReloadOutcome outcome = changes.Count == 0 ? ReloadOutcome.Unchanged : ReloadOutcome.Applied;
        return new ReloadResult(outcome, _publisher.Now.Snapshot.Generation, changes, needsRestart, []);
    }

    /// <returns>What kept it from being in force.</returns>
    private ImmutableArray<string> Replace(InForce before, BalancerConfig config, ImmutableArray<string> lacking)
    {
        if (!lacking.IsEmpty)
        {
            return lacking;
        }

        DescriptorBudget budget = DescriptorBudget.For(config, _descriptorLimit);
        if (budget.WhyNot() is string noRoom)
        {
            return [noRoom];
        }

        DesiredState next = before.Desired.WithFile(config, budget.ConnectionsFor(config.Balancer, _log)) with
        {
            Names = _names.After(before.Desired.Names, config),
        };
        return [.. _publisher.Publish(next).Select(f => f.Message)];
    }

    private ReloadResult Failed(params IReadOnlyList<string> errors) =>
        new(ReloadOutcome.Failed, _publisher.Now.Snapshot.Generation, [], [], errors);

    private void Log(ReloadResult result, string who)
    {
        foreach (string error in result.Errors)
        {
            _log.ReloadError(error);
        }

        foreach (ConfigChange change in result.Changes)
        {
            _log.ReloadChange(change.ToString());
        }

        foreach (string kept in result.NeedsRestart)
        {
            _log.ReloadNeedsRestart(kept);
        }

        if (result.Outcome == ReloadOutcome.Failed)
        {
            _log.ReloadFailed(who, result.Errors.Count, result.Generation);
        }
        else
        {
            _log.Reloaded(who, result.Changes.Count, result.Generation);
        }
    }
}

internal enum ReloadOutcome
{
    /// <summary>The file is in force now.</summary>
    Applied,

    /// <summary>The file says what was in force already.</summary>
    Unchanged,

    /// <summary>Nothing was changed.</summary>
    Failed,
}

/// <summary>What became of a reload.</summary>
/// <param name="Generation">Of the configuration that is in force now.</param>
/// <param name="Changes">What is in force now and was not before.</param>
/// <param name="NeedsRestart">What the file says and this process keeps as it was.</param>
/// <param name="Errors">One line each, with place and mend; empty unless it failed.</param>
internal sealed record ReloadResult(
    ReloadOutcome Outcome, long Generation, IReadOnlyList<ConfigChange> Changes, IReadOnlyList<string> NeedsRestart,
    IReadOnlyList<string> Errors);
