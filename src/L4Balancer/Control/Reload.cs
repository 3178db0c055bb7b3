using System.Collections.Immutable;
using L4Balancer.Configuration;
using L4Balancer.Core.Config;
using L4Balancer.Core.Discovery;
using L4Balancer.Core.Routing;
using L4Balancer.Platform;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Control;

/// <summary>
/// Reads the configuration file again and puts it in force: either all of it or nothing, with the reasons in the log. One reload after the
/// other. The file is read outside the control loop, so that a file that cannot be read blocks only the reload.
/// </summary>
internal sealed class Reload : IDisposable
{
    private const string NoFile = "no configuration file to reload: the daemon was started without one";

    private readonly SnapshotPublisher _publisher;
    private readonly NameControl _names;
    private readonly DiscoveryControl _discovery;
    private readonly ControlQueue _queue;
    private readonly ControlEvents _events;
    private readonly ConfigSource? _source;
    private readonly long _descriptorLimit;
    private readonly ILogger _log;
    private readonly SemaphoreSlim _turn = new(1);
    private readonly CancellationTokenSource _ending = new();
    private object? _fileRead;

    // Of the reload that is being applied: what pools have until the sources that it gives them have answered.
    private IReadOnlyDictionary<string, Belief> _inUse = ImmutableDictionary<string, Belief>.Empty;

    /// <param name="path">The file; null if the daemon was started without one.</param>
    /// <param name="descriptorLimit">How many descriptors the process may hold.</param>
    public Reload(
        SnapshotPublisher publisher, NameControl names, DiscoveryControl discovery, ControlQueue queue, ControlEvents events, string? path,
        long descriptorLimit, TimeProvider clock, ILogger log)
    {
        _publisher = publisher;
        _names = names;
        _discovery = discovery;
        _queue = queue;
        _events = events;
        _source = path is null ? null : new ConfigSource(path, givenUp => Read(path, givenUp), clock);
        _descriptorLimit = descriptorLimit;
        _log = log;
    }

    /// <summary>The stamp of the file that was read last, whether it could be put in force or not. Any thread.</summary>
    public object? FileRead
    {
        get => Volatile.Read(ref _fileRead);
        set => Volatile.Write(ref _fileRead, value);
    }

    /// <summary>
    /// Reads files that the configuration refers to, on a thread that may block, and returns the action that applies them: the control loop
    /// calls it once the reload has succeeded.
    /// </summary>
    public Func<BalancerConfig, Action> ReadDependencies { get; set; } = static _ => static () => { };

    /// <summary>Any thread except the control loop's.</summary>
    /// <param name="who">The origin of the request, for the log.</param>
    /// <exception cref="ObjectDisposedException">The daemon is stopping.</exception>
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
                FileRead = read.File.Stamp ?? FileRead;
                return await _queue.AskAsync(new ReloadRead(read, who));
            }
            finally
            {
                _turn.Release();
            }
        }
        catch (OperationCanceledException e) when (ending.IsCancellationRequested)
        {
            throw new ObjectDisposedException("The daemon is shutting down.", e);
        }
    }

    /// <summary>Puts in force what has been read. Only the control loop calls this.</summary>
    /// <param name="who">The origin of the request, for the log.</param>
    public ReloadResult Apply(ReadConfig read, string who)
    {
        ReloadResult result = Guarded(read, who);
        ActiveConfig now = _publisher.Now;
        now.Snapshot.State.Reloads.Count(result.Outcome != ReloadOutcome.Failed);
        _names.Keep(now.Config);
        _discovery.Follow(now.Config, result.Outcome == ReloadOutcome.Failed ? ImmutableDictionary<string, Belief>.Empty : _inUse);
        _inUse = ImmutableDictionary<string, Belief>.Empty;
        Log(result, who);
        return result;
    }

    /// <summary>Cancels a reload that waits for its file; no other begins.</summary>
    public void Dispose() => _ending.Cancel();

    // All access to the disk and the machine happens here, on a separate thread: it may hang, and delays only the reload.
    private ReadConfig Read(string path, CancellationToken givenUp)
    {
        ConfigFile file = ConfigFile.Load(path);
        if (givenUp.IsCancellationRequested || file.Config is not BalancerConfig config)
        {
            return new ReadConfig(file, [], static () => { });
        }

        _names.LookUp(config);
        BalancerConfig inForce = _publisher.Now.Config;
        BalancerConfig wanted = FixedAtStart.Keep(inForce, config);

        // A name that has come to resolve to this daemon since the last reload is not used, and must not block a reload that changes something else.
        ImmutableArray<string> lacking =
            [.. PlatformNeeds.Missing(wanted), .. _names.SelfConnects(wanted).Except(_names.SelfConnects(inForce))];
        return new ReadConfig(file, lacking, ReadDependencies(config));
    }

    // An exception fails only this reload: it becomes a result, and the next reload can run.
    private ReloadResult Guarded(ReadConfig read, string who)
    {
        try
        {
            return PutInForce(read);
        }
        catch (Exception e)
        {
            _log.ReloadBroke(who, e);
            return Failed($"internal error: {e.Message}");
        }
    }

    private ReloadResult PutInForce(ReadConfig read)
    {
        ActiveConfig before = _publisher.Now;
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

    /// <returns>The reasons why it is not in force; empty if it is.</returns>
    private ImmutableArray<string> Replace(ActiveConfig before, BalancerConfig config, ImmutableArray<string> lacking)
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

        _inUse = _discovery.InUse(before.Snapshot, config);
        DesiredState next = before.Desired.WithFile(config, budget.ConnectionsFor(config.Balancer, _log)) with
        {
            Names = _names.After(before.Desired.Names, config),
            Discovered = _discovery.After(before.Desired.Discovered, config, _inUse),
        };
        ImmutableArray<string> failures = [.. _publisher.Publish(next).Select(f => f.Message)];
        _discovery.Complain(_publisher.Now.Desired.Discovered);
        return failures;
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
    /// <summary>The file is now in force.</summary>
    Applied,

    /// <summary>The file equals the configuration that was in force already.</summary>
    Unchanged,

    /// <summary>Nothing was changed.</summary>
    Failed,
}

/// <summary>The result of a reload.</summary>
/// <param name="Generation">The generation of the configuration in force.</param>
/// <param name="Changes">The differences that were put in force.</param>
/// <param name="NeedsRestart">The differences that apply only after a restart.</param>
/// <param name="Errors">One line each, with the position and how to correct it; empty unless the reload failed.</param>
internal sealed record ReloadResult(
    ReloadOutcome Outcome, long Generation, IReadOnlyList<ConfigChange> Changes, IReadOnlyList<string> NeedsRestart,
    IReadOnlyList<string> Errors);
