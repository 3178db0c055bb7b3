namespace L4Balancer.Core.Http;

/// <summary>What a parser says of the bytes so far.</summary>
public enum ParseResult
{
    Parsed,

    /// <summary>They are a beginning; more may make it whole.</summary>
    NeedMore,

    /// <summary>Nothing that may follow makes it right.</summary>
    Invalid,
}
