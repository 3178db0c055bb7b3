using System.Collections.Immutable;
using L4Balancer.Core.Accounting;

namespace L4Balancer.Core.Dns;

/// <summary>What became of a DNS message.</summary>
public enum DnsResult : byte
{
    /// <summary>Answered with records.</summary>
    Success,

    /// <summary>The name exists and has no such record (NODATA).</summary>
    NoData,

    /// <summary>The name does not exist (NXDOMAIN).</summary>
    NoName,

    /// <summary>The answer did not fit and has TC set.</summary>
    Truncated,

    /// <summary>Outside of the zone, or a transfer.</summary>
    Refused,

    /// <summary>Malformed, or an operation or a version of EDNS that is not supported.</summary>
    Invalid,

    /// <summary>Above the rate of its source: answered empty, with TC set.</summary>
    Slipped,

    /// <summary>Above the rate of its source: not answered.</summary>
    Limited,

    /// <summary>No question at all, or from an address that cannot be answered.</summary>
    Ignored,
}

/// <summary>Counts DNS messages by what became of them. Any thread.</summary>
public sealed class DnsCounters : ICarriedCounters
{
    private readonly long[] _counts = new long[Results.Length];

    public static ImmutableArray<DnsResult> Results { get; } = [.. Enum.GetValues<DnsResult>()];

    public long this[DnsResult result] => Volatile.Read(ref _counts[(int)result]);

    public string CarriedName => "dns";

    public void WriteTo(CounterSheet sheet)
    {
        ArgumentNullException.ThrowIfNull(sheet);
        foreach (DnsResult result in Results)
        {
            sheet[NameOf(result)] = this[result];
        }
    }

    public void Add(CounterSheet counted)
    {
        ArgumentNullException.ThrowIfNull(counted);
        foreach (DnsResult result in Results)
        {
            Interlocked.Add(ref _counts[(int)result], counted[NameOf(result)]);
        }
    }

    public void Count(DnsResult result) => Interlocked.Increment(ref _counts[(int)result]);

    /// <summary>As the label of the metric has it.</summary>
    public static string NameOf(DnsResult result) => result switch
    {
        DnsResult.Success => "success",
        DnsResult.NoData => "no_data",
        DnsResult.NoName => "no_name",
        DnsResult.Truncated => "truncated",
        DnsResult.Refused => "refused",
        DnsResult.Invalid => "invalid",
        DnsResult.Slipped => "slipped",
        DnsResult.Limited => "limited",
        _ => "ignored",
    };
}
