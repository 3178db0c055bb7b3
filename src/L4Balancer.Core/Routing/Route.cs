using System.Collections.Immutable;
using System.Text;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Inspection;

namespace L4Balancer.Core.Routing;

/// <summary>A way from a listener to a pool in one snapshot: one of its routes, or its own pool. Immutable; any thread.</summary>
public sealed class Route
{
    /// <summary>The name of the way to the listener's own pool, where there are routes and none fits.</summary>
    public const string DefaultName = "default";

    private readonly NamePatterns _sni;
    private readonly NamePatterns _hosts;
    private readonly PrefixSet _sources;
    private readonly ImmutableArray<byte[]> _protocols;
    private readonly ImmutableArray<PathPattern> _paths;

    /// <param name="settings">Its conditions; null: it fits every client.</param>
    /// <param name="origin">What its connections keep.</param>
    internal Route(RouteSettings? settings, Pool pool, ConnectionOrigin origin)
    {
        Settings = settings;
        Pool = pool;
        Origin = origin;
        Rule = settings?.Rule ?? "";
        _sni = new NamePatterns(settings?.Sni ?? []);
        _hosts = new NamePatterns(settings?.Host ?? []);
        _sources = new PrefixSet(settings?.Source ?? []);
        _protocols = [.. (settings?.Alpn ?? []).Select(Encoding.UTF8.GetBytes)];
        _paths = [.. (settings?.Path ?? []).Select(static p => PathPattern.Parse(p)!)];
    }

    /// <summary>Null: the way to the listener's own pool.</summary>
    public RouteSettings? Settings { get; }

    public Pool Pool { get; }

    /// <summary>What its connections keep; its name is in it.</summary>
    public ConnectionOrigin Origin { get; }

    /// <summary>Its number in the file, from 1, <see cref="DefaultName"/>, or empty.</summary>
    public string Name => Origin.Route;

    /// <summary>Its conditions for people: <c>sni *.chat.example.com</c>; empty if it has none.</summary>
    public string Rule { get; }

    /// <summary>Whether <see cref="Fits"/> needs the path of the request.</summary>
    internal bool HasPaths => !_paths.IsEmpty;

    /// <param name="client">The address of the client itself, not that of a proxy.</param>
    /// <param name="path">The path of the request in its normal form; empty if there is none.</param>
    internal bool Fits(HostAddress client, scoped in Inspected inspected, scoped ReadOnlySpan<byte> path) =>
        (_sources.IsEmpty || _sources.Contains(client))
        && (_sni.IsEmpty || _sni.Matches(inspected.Hello.ServerName))
        && (_protocols.IsEmpty || Offers(inspected.Hello.Alpn))
        && (_hosts.IsEmpty || (inspected.HasRequest && _hosts.Matches(inspected.Request.Host)))
        && (_paths.IsEmpty || FitsPath(path));

    private bool Offers(AlpnList offered)
    {
        foreach (byte[] protocol in _protocols)
        {
            if (offered.Contains(protocol))
            {
                return true;
            }
        }

        return false;
    }

    private bool FitsPath(scoped ReadOnlySpan<byte> path)
    {
        foreach (PathPattern pattern in _paths)
        {
            if (pattern.Matches(path))
            {
                return true;
            }
        }

        return false;
    }
}
