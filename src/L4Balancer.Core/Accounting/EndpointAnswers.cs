namespace L4Balancer.Core.Accounting;

/// <summary>How a client that asked for an endpoint was answered.</summary>
public enum EndpointResult
{
    /// <summary>It got the URL of a backend.</summary>
    Success,

    /// <summary>No backend takes a connection now.</summary>
    NoBackend,

    /// <summary>The source asks more often than it may.</summary>
    Limited,
}

/// <summary>The answers to clients that asked for an endpoint of one pool, by result. Any thread.</summary>
public sealed class EndpointAnswers
{
    // Between processes, by result.
    private static readonly string[] Names = ["endpoint_success", "endpoint_no_backend", "endpoint_limited"];

    private readonly long[] _counts = new long[(int)EndpointResult.Limited + 1];

    public long this[EndpointResult result] => Volatile.Read(ref _counts[(int)result]);

    /// <summary>All answers.</summary>
    public long Total => this[EndpointResult.Success] + this[EndpointResult.NoBackend] + this[EndpointResult.Limited];

    public void Count(EndpointResult result) => Interlocked.Increment(ref _counts[(int)result]);

    internal void WriteTo(CounterSheet sheet)
    {
        for (int i = 0; i < Names.Length; i++)
        {
            sheet[Names[i]] = this[(EndpointResult)i];
        }
    }

    internal void Add(CounterSheet counted)
    {
        for (int i = 0; i < Names.Length; i++)
        {
            Interlocked.Add(ref _counts[i], counted[Names[i]]);
        }
    }
}
