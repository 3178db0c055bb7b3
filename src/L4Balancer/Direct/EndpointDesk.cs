using L4Balancer.Admin.Answers;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Direct;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Direct;

/// <summary>
/// Hands out endpoints of the snapshot in force, for the endpoint API, and shows them, for the admin API. Any thread.
/// </summary>
/// <param name="settings">Those in force; null: there is no <c>[endpoint]</c>, and the defaults apply to what is shown.</param>
/// <param name="seed">Not known to clients.</param>
internal sealed class EndpointDesk(Func<RoutingSnapshot> snapshot, Func<EndpointSettings?> settings, TimeProvider clock, ulong seed)
{
    private static readonly EndpointSettings Defaults = new();

    private readonly HandOuts _handOuts = new(seed);
    private volatile EndpointSecret? _secret;

    public EndpointSettings Settings => settings() ?? Defaults;

    /// <summary>Signs the tokens; null: answers carry none.</summary>
    public EndpointSecret? Secret
    {
        get => _secret;
        set => _secret = value;
    }

    /// <summary>The pool of this name if its backends have a <c>public_url</c>; null if there is no such pool.</summary>
    public Pool? PoolOf(string name) => snapshot().Pools.FirstOrDefault(p => p.Name == name && p.HasPublicUrls);

    /// <summary>Takes one request from the rate of its source; false: it asks too fast.</summary>
    /// <param name="wait">How long until the next one is accepted, if the result is false.</param>
    public bool TryAsk(HostAddress source, out TimeSpan wait) => _handOuts.TryAsk(source, Settings.RatePerSource, Now, out wait);

    public HandOut Take(Pool pool, HandOutAsk ask, HostAddress source) =>
        _handOuts.Take(pool, ask, source, EndpointSettings.UnderWay(Settings.Ttl), Now);

    /// <summary>What a client would be handed now; counts nothing.</summary>
    public HandOut Look(Pool pool, HandOutAsk ask) => _handOuts.Look(pool, ask, Now);

    /// <summary>Ends the count of what has had its time; to be called about every second.</summary>
    public void Expire() => _handOuts.Expire(Now);

    public EndpointAnswer AnswerOf(Pool pool, HandOutAsk ask, HandOut handed)
    {
        TimeSpan ttl = Settings.Ttl;
        DateTimeOffset expires = clock.GetUtcNow() + ttl;
        EndpointSecret? secret = _secret;
        Backend chosen = handed.Backend!;
        return new EndpointAnswer(
            chosen.Settings.PublicUrl, chosen.Name, pool.Name,
            [.. handed.Alternates.Select(a => new AlternateAnswer(a.Settings.PublicUrl, a.Name, TokenOf(a)))], ttl.TotalSeconds, TokenOf(chosen));

        string? TokenOf(Backend backend) => secret?.TokenFor(pool.Name, backend.Name, ask.Key ?? "", expires);
    }

    private Instant Now => Instant.Now(clock);
}
