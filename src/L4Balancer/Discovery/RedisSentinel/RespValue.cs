using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace L4Balancer.Discovery.RedisSentinel;

internal enum RespOutcome
{
    Parsed,

    /// <summary>The bytes are the beginning of a value.</summary>
    NeedMore,

    Invalid,
}

internal enum RespKind
{
    /// <summary>A simple string, a bulk string or an integer; all of them are text here.</summary>
    Text,

    Error,
    Null,
    Array,
}

/// <summary>A value of RESP2, the protocol of Redis (redis.io, "Redis serialization protocol specification"). Immutable.</summary>
/// <param name="Text">Of a text or an error; UTF-8, with a replacement for what is not.</param>
/// <param name="Items">Of an array.</param>
internal sealed record RespValue(RespKind Kind, string Text, ImmutableArray<RespValue> Items)
{
    /// <summary>The longest value in bytes, with all that is in it.</summary>
    public const int Longest = 1024 * 1024;

    /// <summary>Arrays in arrays; a Sentinel answers with two.</summary>
    private const int Deepest = 4;

    /// <summary>Longer than any line of a Sentinel, and than any length or integer.</summary>
    private const int LongestLine = 4096;

    private static readonly RespValue Nothing = new(RespKind.Null, "", []);

    /// <summary>Parses one value at the beginning of the bytes.</summary>
    /// <param name="length">Its length; 0 unless it is parsed.</param>
    public static RespOutcome TryParse(ReadOnlySpan<byte> bytes, out RespValue value, out int length)
    {
        int at = 0;
        RespOutcome outcome = Parse(bytes, ref at, depth: 0, out value);
        if (outcome == RespOutcome.NeedMore && bytes.Length >= Longest)
        {
            outcome = RespOutcome.Invalid;
        }

        length = outcome == RespOutcome.Parsed ? at : 0;
        return outcome;
    }

    /// <summary>A command and its arguments, as an array of bulk strings.</summary>
    public static byte[] Command(params ReadOnlySpan<string> words)
    {
        using var bytes = new MemoryStream();
        Write(bytes, $"*{words.Length}\r\n");
        foreach (string word in words)
        {
            Write(bytes, $"${Encoding.UTF8.GetByteCount(word)}\r\n{word}\r\n");
        }

        return bytes.ToArray();
    }

    private static void Write(MemoryStream bytes, FormattableString text) => bytes.Write(Encoding.UTF8.GetBytes(text.ToString(CultureInfo.InvariantCulture)));

    private static RespOutcome Parse(ReadOnlySpan<byte> bytes, ref int at, int depth, out RespValue value)
    {
        value = Nothing;
        ReadOnlySpan<byte> rest = bytes[at..];
        int end = rest[..Math.Min(rest.Length, LongestLine)].IndexOf("\r\n"u8);
        if (end < 0)
        {
            return rest.Length < LongestLine ? RespOutcome.NeedMore : RespOutcome.Invalid;
        }

        if (end == 0)
        {
            return RespOutcome.Invalid;
        }

        ReadOnlySpan<byte> line = rest[1..end];
        at += end + 2;
        switch (rest[0])
        {
            case (byte)'+':
            case (byte)'-':
                value = new RespValue(rest[0] == '+' ? RespKind.Text : RespKind.Error, Encoding.UTF8.GetString(line), []);
                return RespOutcome.Parsed;
            case (byte)':':
                value = new RespValue(RespKind.Text, Encoding.UTF8.GetString(line), []);
                return long.TryParse(line, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _) ? RespOutcome.Parsed : RespOutcome.Invalid;
            case (byte)'$':
                return TryLength(line, out int size) ? ParseBulk(bytes, ref at, size, out value) : RespOutcome.Invalid;
            case (byte)'*':
                return TryLength(line, out int count) && depth < Deepest ? ParseItems(bytes, ref at, count, depth, out value) : RespOutcome.Invalid;
            default:
                return RespOutcome.Invalid;
        }
    }

    private static RespOutcome ParseBulk(ReadOnlySpan<byte> bytes, ref int at, int size, out RespValue value)
    {
        value = Nothing;
        if (size < 0)
        {
            return RespOutcome.Parsed;
        }

        ReadOnlySpan<byte> rest = bytes[at..];
        if (rest.Length < size + 2)
        {
            return RespOutcome.NeedMore;
        }

        value = new RespValue(RespKind.Text, Encoding.UTF8.GetString(rest[..size]), []);
        at += size + 2;
        return rest[size] == '\r' && rest[size + 1] == '\n' ? RespOutcome.Parsed : RespOutcome.Invalid;
    }

    private static RespOutcome ParseItems(ReadOnlySpan<byte> bytes, ref int at, int count, int depth, out RespValue value)
    {
        value = Nothing;
        if (count < 0)
        {
            return RespOutcome.Parsed;
        }

        // The announced count reserves nothing: each item takes at least three bytes that have arrived.
        var items = ImmutableArray.CreateBuilder<RespValue>();
        for (int i = 0; i < count; i++)
        {
            RespOutcome outcome = Parse(bytes, ref at, depth + 1, out RespValue item);
            if (outcome != RespOutcome.Parsed)
            {
                return outcome;
            }

            items.Add(item);
        }

        value = new RespValue(RespKind.Array, "", items.ToImmutable());
        return RespOutcome.Parsed;
    }

    // -1 is null.
    private static bool TryLength(ReadOnlySpan<byte> line, out int length) =>
        int.TryParse(line, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out length) && length is >= -1 and <= Longest;
}
