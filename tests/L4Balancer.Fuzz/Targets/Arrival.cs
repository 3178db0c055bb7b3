using L4Balancer.Core.Inspection;

namespace L4Balancer.Fuzz.Targets;

/// <summary>What a parser answered to the bytes received so far, as text that can be compared.</summary>
internal readonly record struct Arrived(InspectionResult Result, string Said);

/// <summary>
/// Feeds a parser as an engine does: a beginning, then at least as much as the parser asks for, until it decides.
/// </summary>
internal static class Arrival
{
    public delegate Arrived Parser(ReadOnlySpan<byte> received);

    /// <summary>Checks that the answer to all bytes is also the answer to the beginning at which the parser decides.</summary>
    /// <param name="limit">The most bytes that the parser may ask for.</param>
    /// <returns>The answer to all bytes.</returns>
    public static InspectionResult Check(byte[] bytes, int limit, Parser parse)
    {
        Arrived whole = parse(bytes);
        CheckNeeded(whole.Result, bytes.Length, limit);
        for (int length = 0; length < bytes.Length;)
        {
            Arrived part = parse(bytes.AsSpan(0, length));
            CheckNeeded(part.Result, length, limit);
            if (part.Result.Outcome != InspectionOutcome.NeedMore)
            {
                Finding.Unless(
                    (part.Result.Outcome, part.Said) == (whole.Result.Outcome, whole.Said),
                    $"{part.Result.Outcome} {part.Said} at {length} bytes, {whole.Result.Outcome} {whole.Said} at {bytes.Length}");
                break;
            }

            // Ever longer steps, because a parser that does not know what is missing asks for one byte more.
            length = Math.Max(part.Result.Needed, length + 1 + (length / 8));
        }

        return whole.Result;
    }

    private static void CheckNeeded(InspectionResult result, int length, int limit)
    {
        bool more = result.Outcome == InspectionOutcome.NeedMore;
        Finding.Unless(
            more ? result.Needed > length && result.Needed <= limit : result.Needed == 0,
            $"{result.Outcome} needs {result.Needed} bytes, has {length}, may have {limit}");
        Finding.Unless(
            string.IsNullOrEmpty(result.Reason) == (more || result.Outcome == InspectionOutcome.Parsed),
            $"{result.Outcome} with the reason \"{result.Reason}\"");
    }
}
