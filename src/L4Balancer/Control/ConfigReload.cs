using System.Collections.Immutable;
using L4Balancer.Configuration;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Engine;
using L4Balancer.Platform;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Control;

/// <summary>
/// One reload, from the file to what became of it: everything that it says comes into force or nothing does, and the log has why. What
/// reads runs on any thread; the rest only the one writer calls.
/// </summary>
/// <param name="inForce">What is in force now.</param>
/// <param name="putInForce">Puts another in its place; what it answers kept it from that.</param>
/// <param name="descriptorLimit">How many descriptors the process may hold.</param>
internal sealed class ConfigReload(
    Func<InForce> inForce, Func<DesiredState, IReadOnlyList<ListenFailure>> putInForce, NameControl names, long descriptorLimit, ILogger log)
{
    /// <summary>
    /// Reads what else belongs to a configuration, on a thread where that may take its time, and answers what puts it in force: the
    /// writer calls that once the reload has succeeded.
    /// </summary>
    public Func<BalancerConfig, Action> ReadsToo { get; set; } = static _ => static () => { };

    /// <summary>Called by the writer once the file is in force, whether it says something else or not.</summary>
    public Action Succeeded { get; init; } = static () => { };

    /// <summary>Whatever asks the disk or the machine is done here: it may hang, and nobody waits for it but the reload.</summary>
    /// <param name="givenUp">Not even that any more.</param>
    public ReadConfig Read(string path, CancellationToken givenUp)
    {
        ConfigFile file = ConfigFile.Load(path);
        if (givenUp.IsCancellationRequested || file.Config is not BalancerConfig config)
        {
            return new ReadConfig(file, [], static () => { });
        }

        names.Prepare(config);
        ImmutableArray<string> lacking = PlatformNeeds.Missing(FixedAtStart.Keep(inForce().Config, config));
        return new ReadConfig(file, lacking, ReadsToo(config));
    }

    /// <summary>Puts in force what was read.</summary>
    /// <param name="who">Who asked, for the log.</param>
    public ReloadResult Apply(ReadConfig read, string who) => Ended(Guarded(read, who), who);

    /// <summary>It fails without having read anything.</summary>
    /// <param name="error">Why, with the mend.</param>
    public ReloadResult Refuse(string error, string who) => Ended(Failed(error), who);

    // Whoever asked is answered, and the next reload finds everything in its place.
    private ReloadResult Guarded(ReadConfig read, string who)
    {
        try
        {
            return PutInForce(read);
        }
        catch (Exception e)
        {
            log.ReloadBroke(who, e);
            return Failed($"a fault of the daemon: {e.Message}");
        }
    }

    private ReloadResult PutInForce(ReadConfig read)
    {
        InForce before = inForce();
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
        Succeeded();
        ReloadOutcome outcome = changes.Count == 0 ? ReloadOutcome.Unchanged : ReloadOutcome.Applied;
        return new ReloadResult(outcome, inForce().Snapshot.Generation, changes, needsRestart, []);
    }

    /// <returns>What kept it from being in force.</returns>
    private ImmutableArray<string> Replace(InForce before, BalancerConfig config, ImmutableArray<string> lacking)
    {
        if (!lacking.IsEmpty)
        {
            return lacking;
        }

        DescriptorBudget budget = DescriptorBudget.For(config, descriptorLimit);
        if (budget.WhyNot() is string noRoom)
        {
            return [noRoom];
        }

        DesiredState next = before.Desired.WithFile(config, budget.ConnectionsFor(config.Balancer, log)) with
        {
            Names = names.After(before.Desired.Names, config),
        };
        IReadOnlyList<ListenFailure> failures = putInForce(next);
        if (failures.Count == 0)
        {
            names.Follow(before.Snapshot, config, inForce().Snapshot);
        }

        return [.. failures.Select(f => f.Message)];
    }

    private ReloadResult Failed(params IReadOnlyList<string> errors) =>
        new(ReloadOutcome.Failed, inForce().Snapshot.Generation, [], [], errors);

    private ReloadResult Ended(ReloadResult result, string who)
    {
        InForce now = inForce();
        now.Snapshot.Cell.Reloads.Count(result.Outcome != ReloadOutcome.Failed);
        names.Keep(now.Config);
        Tell(result, who);
        return result;
    }

    private void Tell(ReloadResult result, string who)
    {
        foreach (string error in result.Errors)
        {
            log.ReloadError(error);
        }

        foreach (ConfigChange change in result.Changes)
        {
            log.ReloadChange(change.ToString());
        }

        foreach (string kept in result.NeedsRestart)
        {
            log.ReloadNeedsRestart(kept);
        }

        if (result.Outcome == ReloadOutcome.Failed)
        {
            log.ReloadFailed(who, result.Errors.Count, result.Generation);
        }
        else
        {
            log.Reloaded(who, result.Changes.Count, result.Generation);
        }
    }
}
