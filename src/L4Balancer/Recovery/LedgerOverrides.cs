using System.Collections.Immutable;
using L4Balancer.Configuration;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Ledger;

namespace L4Balancer.Recovery;

/// <summary>What operators had set when a daemon crashed: its ledger is written at once, and its state file says more of each value.</summary>
internal static class LedgerOverrides
{
    /// <param name="noted">In the ledger. What it does not have was lifted.</param>
    /// <param name="saved">In the state file, which may be older; null: there is none.</param>
    /// <returns>What holds under the configuration, by the rules of a restart: a weight that the file has changed meanwhile is that of the file.</returns>
    public static BackendOverrides For(
        BalancerConfig config, IReadOnlyList<(LedgerBackendName Backend, BackendOverride Value)> noted, SavedState? saved)
    {
        Dictionary<(string, string), SavedBackend> known =
            saved?.Backends.DistinctBy(static b => (b.Pool, b.Backend)).ToDictionary(static b => (b.Pool, b.Backend)) ?? [];
        Dictionary<(string, string), int> weights = config.Pools
            .SelectMany(static p => p.Backends.Select(b => (Key: (p.Name, b.Name), b.Weight)))
            .ToDictionary(static b => b.Key, static b => b.Weight);
        ImmutableArray<SavedBackend> backends =
        [
            .. noted.Select(n => known.TryGetValue((n.Backend.Pool, n.Backend.Name), out SavedBackend? same)
                && same.Mode == n.Value.Mode && same.Weight == n.Value.Weight
                    ? same
                    : new SavedBackend(
                        n.Backend.Pool, n.Backend.Name, n.Value.Mode, n.Value.Weight,
                        weights.TryGetValue((n.Backend.Pool, n.Backend.Name), out int weight) ? weight : null)),
        ];
        return new SavedState(SavedState.CurrentVersion, backends).For(config);
    }
}
