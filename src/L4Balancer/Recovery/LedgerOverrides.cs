using L4Balancer.Core.Routing;
using L4Balancer.Engine.Ledger;

namespace L4Balancer.Recovery;

/// <summary>What operators set at run time, to and from the ledger.</summary>
internal static class LedgerOverrides
{
    /// <param name="saved">Of the state file, which may be older.</param>
    /// <param name="noted">Of the ledger. What it does not have was lifted.</param>
    public static BackendOverrides After(
        BackendOverrides saved, IReadOnlyList<(LedgerBackendName Backend, BackendOverride Value)> noted)
    {
        BackendOverrides after = BackendOverrides.None;
        foreach ((LedgerBackendName backend, BackendOverride value) in noted)
        {
            // The state file knows who set it, and until when.
            BackendOverride known = saved[backend.Pool, backend.Name];
            after = after.With(backend.Pool, backend.Name, known.Mode == value.Mode && known.Weight == value.Weight ? known : value);
        }

        return after;
    }

    /// <summary>Writes what is set now.</summary>
    public static void Note(ConnectionLedger ledger, BackendOverrides now) => ledger.SetOverrides(now.All);
}
