using System.Globalization;
using L4Balancer.Core.Addressing;
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

    private readonly ConnectionFilter _filter = new(Backend, Source, Listener: null);

    /// <param name="mistake">The error in the parameters, if null is returned.</param>
    public static ConnectionQuery? TryRead(HttpContext http, out string mistake)
    {
        if (ConnectionFilter.TryRead(http, out mistake) is not ConnectionFilter filter)
        {
            return null;
        }

        string? sort = Query.Value(http, "sort");
        string? limit = Query.Value(http, "limit");
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

        return new ConnectionQuery(filter.Backend, filter.Source, by, most);
    }

    public bool Matches(in OpenConnection connection) => _filter.Matches(connection.Record);

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
