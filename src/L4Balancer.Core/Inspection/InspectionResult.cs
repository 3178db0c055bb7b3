namespace L4Balancer.Core.Inspection;

/// <summary>What the first bytes of a connection have been found to be.</summary>
public enum InspectionOutcome
{
    /// <summary>The head is complete and valid.</summary>
    Parsed,

    /// <summary>The bytes are the beginning of a head; <see cref="InspectionResult.Needed"/> bytes are needed in all.</summary>
    NeedMore,

    /// <summary>The bytes are not of this protocol, whatever follows.</summary>
    OtherProtocol,

    /// <summary>The bytes are of this protocol, but malformed, whatever follows.</summary>
    Invalid,

    /// <summary>The head ends beyond the limit; known as soon as the protocol announces its length.</summary>
    TooLong,
}

/// <summary>
/// The answer of a parser to all bytes received so far. The parsers consume nothing, never throw on input and allocate nothing.
/// </summary>
/// <param name="Needed">
/// For <see cref="InspectionOutcome.NeedMore"/>: the number of bytes, counted from the start, below which the answer cannot change to
/// <see cref="InspectionOutcome.Parsed"/>; greater than what was received and at most the limit. Otherwise 0.
/// </param>
/// <param name="Reason">For a log: what is wrong, a constant without bytes of the client; empty where nothing is wrong.</param>
public readonly record struct InspectionResult(InspectionOutcome Outcome, int Needed, string Reason)
{
    public static InspectionResult Parsed => new(InspectionOutcome.Parsed, 0, "");

    public static InspectionResult OtherProtocol(string reason) => new(InspectionOutcome.OtherProtocol, 0, reason);

    public static InspectionResult Invalid(string reason) => new(InspectionOutcome.Invalid, 0, reason);

    /// <summary>
    /// <see cref="InspectionOutcome.NeedMore"/>, or <see cref="InspectionOutcome.TooLong"/> where the limit is below what is needed.
    /// </summary>
    /// <param name="needed">In bytes from the start; a sum of announced lengths may exceed an int.</param>
    /// <param name="limit">In bytes.</param>
    public static InspectionResult NeedMore(long needed, int limit) => needed <= limit
        ? new InspectionResult(InspectionOutcome.NeedMore, (int)needed, "")
        : new InspectionResult(InspectionOutcome.TooLong, 0, "the head is longer than the limit");
}
