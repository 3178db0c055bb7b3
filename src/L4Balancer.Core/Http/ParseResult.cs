namespace L4Balancer.Core.Http;

/// <summary>The result of parsing the bytes received so far.</summary>
public enum ParseResult
{
    Parsed,

    /// <summary>The bytes are an incomplete beginning; more bytes are needed.</summary>
    NeedMore,

    /// <summary>The bytes are invalid, whatever follows.</summary>
    Invalid,
}
