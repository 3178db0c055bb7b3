using System.Collections.Immutable;
using L4Balancer.Control;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Routing;
using Microsoft.AspNetCore.Http;

namespace L4Balancer.Admin;

/// <summary>Which connections are meant: those that match every part that is given.</summary>
/// <param name="Backend">Pool and name; null means all.</param>
/// <param name="Source">Addresses of clients; null means all.</param>
/// <param name="Listener">The name of a listener; null means all.</param>
internal sealed record ConnectionFilter((string Pool, string Name)? Backend, Cidr? Source, string? Listener)
{
    public static readonly string[] Parameters = ["backend", "source", "listener"];

    public bool IsEmpty => Backend is null && Source is null && Listener is null;

    /// <param name="mistake">The error in the parameters, if null is returned.</param>
    public static ConnectionFilter? TryRead(HttpContext http, out string mistake)
    {
        mistake = "";
        string? backend = Query.Value(http, "backend");
        string? source = Query.Value(http, "source");
        string? listener = Query.Value(http, "listener");
        string[] names = backend?.Split('/') ?? [];
        if (backend is not null && names is not [{ Length: > 0 }, { Length: > 0 }])
        {
            mistake = $"backend={Query.Shown(backend)}: write POOL/NAME";
            return null;
        }

        Cidr range = default;
        if (source is not null && !Cidr.TryParse(source, out range))
        {
            mistake = $"source={Query.Shown(source)}: write an address or a range, like 203.0.113.0/24";
            return null;
        }

        return new ConnectionFilter(backend is null ? null : (names[0], names[1]), source is null ? null : range, listener);
    }

    public bool Matches(in ConnectionRecord record) =>
        (Source is not Cidr range || range.Contains(record.Tuple.Source.Address))
        && (Listener is null || record.Listener.Name == Listener)
        && (Backend is not (string pool, string name) || (record.Backend is { } at && at.Name == name && at.Pool == pool));

    /// <summary>The filter of an order to close what matches.</summary>
    public CloseFilter ForClosing()
    {
        var parts = ImmutableArray.CreateBuilder<(string, string)>();
        if (Backend is (string pool, string name))
        {
            parts.Add((Parameters[0], $"{pool}/{name}"));
        }

        if (Source is Cidr range)
        {
            parts.Add((Parameters[1], range.ToString()));
        }

        if (Listener is not null)
        {
            parts.Add((Parameters[2], Listener));
        }

        return new CloseFilter(record => Matches(record), ToString(), parts.ToImmutable());
    }

    /// <summary>The same filter in another process.</summary>
    /// <returns>Null if this version does not know one of the parts: without it too many would match.</returns>
    public static CloseFilter? Again(ImmutableArray<(string Part, string Value)> parts)
    {
        var filter = new ConnectionFilter(null, null, null);
        foreach ((string part, string value) in parts)
        {
            switch (part)
            {
                case "backend" when value.Split('/') is [{ Length: > 0 } pool, { Length: > 0 } name]:
                    filter = filter with { Backend = (pool, name) };
                    break;
                case "source" when Cidr.TryParse(value, out Cidr range):
                    filter = filter with { Source = range };
                    break;
                case "listener":
                    filter = filter with { Listener = value };
                    break;
                default:
                    return null;
            }
        }

        return filter.IsEmpty ? null : filter.ForClosing();
    }

    /// <summary>Why nothing can match: a name that neither the configuration has, nor what it had before; null if that is not so.</summary>
    public string? Unknown(RoutingSnapshot snapshot)
    {
        if (Backend is (string pool, string name)
            && !snapshot.Pools.SelectMany(p => p.Backends).Concat(snapshot.Removed.Backends).Any(b => b.Name == name && b.State.Pool == pool))
        {
            return $"no backend {Query.Shown($"{pool}/{name}")}: `l4balancer backends` lists all";
        }

        return Listener is not null
            && !snapshot.Listeners.Select(l => l.State).Concat(snapshot.Removed.Listeners).Any(l => l.Name == Listener)
            ? $"no listener {Query.Shown(Listener)}: `l4balancer status` lists all"
            : null;
    }

    /// <summary>The parts that are given, for the log.</summary>
    public override string ToString() => string.Join(", ", new[]
    {
        Backend is (string pool, string name) ? $"backend {pool}/{name}" : null,
        Source is Cidr range ? $"source {range}" : null,
        Listener is null ? null : $"listener {Listener}",
    }.OfType<string>());
}
