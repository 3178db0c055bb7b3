using System.Collections.Immutable;
using System.Text.Json;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Discovery;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Discovery;

/// <summary>Logs what changes in what is believed of one pool's source. A source that fails is logged once for each reason, and not too often.</summary>
internal sealed class DiscoveryNews(string pool, DiscoverySettings settings, TimeProvider clock, ILogger log)
{
    /// <summary>Reasons may differ in every reading, and a store may fail and answer in turn.</summary>
    private static readonly TimeSpan BetweenFaults = TimeSpan.FromSeconds(10);

    private string _told = "";
    private long _toldAt;

    /// <summary>The kind of the source as its key is written.</summary>
    public string Source { get; } = NameOf(settings.Kind);

    public static string NameOf(DiscoveryKind kind) => JsonNamingPolicy.SnakeCaseLower.ConvertName(kind.ToString());

    /// <summary>One reading after the other.</summary>
    public void Tell(Belief before, Belief after)
    {
        if (after.Fault.Length > 0)
        {
            if (after.Fault != _told && (_toldAt == 0 || clock.GetElapsedTime(_toldAt) >= BetweenFaults))
            {
                (_told, _toldAt) = (after.Fault, clock.GetTimestamp());
                log.SourceUnknown(pool, Source, after.Fault, after.Count);
            }

            return;
        }

        if (_told.Length > 0)
        {
            _told = "";
            log.SourceKnown(pool, Source);
        }

        if (after.Held is { } held)
        {
            if (held.Since != before.Held?.Since)
            {
                log.SetHeld(pool, Source, held.Set.Length, held.Version, after.Count, Duration.Format(settings.Hold));
            }

            return;
        }

        if (after.Set is { } set && (before.Set is not { } old || old != set))
        {
            (int added, int removed, int changed) = Compare(before.Set ?? [], set);
            log.SetBelieved(pool, Source, set.Length, after.Version, added, removed, changed);
        }
        else if (before.Held is not null)
        {
            log.SetNotHeld(pool, Source, after.Count);
        }
    }

    private static (int Added, int Removed, int Changed) Compare(ImmutableArray<DiscoveredBackend> before, ImmutableArray<DiscoveredBackend> after)
    {
        Dictionary<Endpoint, DiscoveredBackend> old = before.ToDictionary(static b => b.Address);
        int stayed = after.Count(b => old.ContainsKey(b.Address));
        int same = after.Count(b => old.TryGetValue(b.Address, out DiscoveredBackend? was) && was == b);
        return (after.Length - stayed, before.Length - stayed, stayed - same);
    }
}
