using System.Globalization;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Routing;
using L4Balancer.Engine;
using Microsoft.AspNetCore.Http;

namespace L4Balancer.Admin;

/// <summary>The order of a listing of connections, descending.</summary>
internal enum ConnectionSort
{
    Age,
    Bytes,
    Idle,
}

/// <summary>The filter, order and limit of a listing of connections.</summary>
/// <param name="Backend">Pool and name; null means all.</param>
/// <param name="Source">Addresses of clients; null means all.</param>
internal sealed record ConnectionQuery((string Pool, string Name)? Backend, Cidr? Source, ConnectionSort Sort, int Limit)
{
    public const int DefaultLimit = 1000;
    public const int LargestLimit = 100_000;

    public static readonly string[] Parameters = ["backend", "source", "sort", "limit"];

    /// <param name="mistake">The error in the parameters, if null is returned.</param>
    public static ConnectionQuery? TryRead(HttpContext http, out string mistake)
    {
        mistake = "";
        string? backend = Query.Value(http, "backend");
        string? source = Query.Value(http, "source");
        string? sort = Query.Value(http, "sort");
        string? limit = Query.Value(http, "limit");
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

        ConnectionSort by = ConnectionSort.Age;
        if (sort is not null && !TryParse(sort, out by))
        {
            mistake = $"sort={Query.Shown(sort)}: allowed are age, bytes and idle";
            return null;
        }

        int most = DefaultLimit;
        if (limit is not null
            && (!int.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out most) || most is < 1 or > LargestLimit))
        {
            mistake = $"limit={Query.Shown(limit)}: must be a number from 1 to {LargestLimit}";
            return null;
        }

        return new ConnectionQuery(backend is null ? null : (names[0], names[1]), source is null ? null : range, by, most);
    }

    public bool Matches(in OpenConnection connection) =>
        (Source is not Cidr range || range.Contains(connection.Record.Tuple.Source.Address))
        && (Backend is not (string pool, string name)
            || (connection.Record.Backend is { } at && at.Name == name && at.Pool == pool));

    /// <summary>The sort key; greater values come first.</summary>
    public long KeyOf(in OpenConnection connection) => Sort switch
    {
        ConnectionSort.Bytes => connection.Record.BytesToBackend + connection.Record.BytesToClient,
        ConnectionSort.Idle => -connection.LastActivity.Ticks,
        _ => -connection.Record.AcceptedAt.Ticks,
    };

    private static bool TryParse(string text, out ConnectionSort sort)
    {
        sort = text switch
        {
            "bytes" => ConnectionSort.Bytes,
            "idle" => ConnectionSort.Idle,
            _ => ConnectionSort.Age,
        };
        return text is "age" or "bytes" or "idle";
    }
}
