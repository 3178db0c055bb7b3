using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Resolving;

/// <summary>The host names among the backends of a configuration: followed, and turned into what a snapshot is built with.</summary>
/// <param name="resolver">Disposed of with this.</param>
internal sealed class BackendNames(NameResolver resolver, TimeProvider clock, ILogger<BackendNames> log) : IDisposable
{
    /// <summary>How long a start or a reload waits for names that it meets first.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly Dictionary<string, string> _faults = [];

    public static IReadOnlySet<string> In(BalancerConfig config) => In(config.Pools);

    private static HashSet<string> In(IEnumerable<PoolSettings> pools) =>
        pools.SelectMany(p => p.Backends).Where(b => b.Host is not null).Select(b => b.Host!.Value.Host).ToHashSet();

    /// <summary>
    /// Looks the names of a configuration up that may come into force, and waits a moment for those that are new. The known ones are
    /// looked up again beside it.
    /// </summary>
    public async Task PrepareAsync(BalancerConfig config)
    {
        try
        {
            await resolver.AddAsync(In(config)).WaitAsync(Patience, clock);
        }
        catch (TimeoutException)
        {
            // They come when they come; until then what has only a name is down.
        }
    }

    /// <summary>What the names of this configuration stand for now.</summary>
    public Resolutions After(Resolutions before, BalancerConfig config) => before.After(config, resolver.Answers);

    /// <summary>This configuration is in force and no other is being prepared: other names are forgotten.</summary>
    public void Keep(BalancerConfig config) => resolver.Keep(In(config));

    /// <summary>Says in the log which look-ups of the configuration in force fail now and did not before.</summary>
    /// <param name="pools">All that are in force.</param>
    public void Complain(IEnumerable<PoolSettings> pools)
    {
        HashSet<string> names = In(pools);
        IReadOnlyDictionary<string, NameAnswer> answers = resolver.Answers;
        foreach (string gone in _faults.Keys.Where(n => !names.Contains(n)).ToArray())
        {
            _faults.Remove(gone);
        }

        foreach ((string host, NameAnswer answer) in answers.Where(a => names.Contains(a.Key)))
        {
            string before = _faults.GetValueOrDefault(host, "");
            _faults[host] = answer.Fault;
            if (answer.Fault.Length > 0 && answer.Fault != before)
            {
                string stays = answer.Addresses.IsEmpty ? "nothing, it never resolved" : string.Join(", ", answer.Addresses);
                log.NameFails(host, answer.Fault, stays);
            }
            else if (answer.Fault.Length == 0 && before.Length > 0)
            {
                log.NameAnswers(host, string.Join(", ", answer.Addresses));
            }
        }
    }

    /// <summary>Why a backend has no address.</summary>
    public string WhyNone(BackendSettings backend) => Resolutions.WhyNone(resolver.Answers.GetValueOrDefault(backend.Host!.Value.Host));

    public void Dispose() => resolver.Dispose();
}
