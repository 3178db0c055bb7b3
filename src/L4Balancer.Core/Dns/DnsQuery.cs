using System.Buffers.Binary;

namespace L4Balancer.Core.Dns;

/// <summary>Whether a message is a question that can be answered.</summary>
internal enum QueryFault : byte
{
    None,

    /// <summary>No question at all: too short for a header, or itself a response. Answering it could cause a loop.</summary>
    Ignore,

    /// <summary>Malformed; only the header is meaningful (RFC 1035, 4.1.1: format error).</summary>
    Malformed,

    /// <summary>An operation other than a standard query: NOTIFY, UPDATE, STATUS.</summary>
    OtherOperation,
}

/// <summary>
/// A received DNS message with one question (RFC 1035, 4.1), as far as a server needs it. Refers to the bytes of the message. Reading it
/// neither throws nor allocates, and follows no compression pointer: a name in the question cannot have one, since nothing stands before
/// it.
/// </summary>
internal readonly ref struct DnsQuery
{
    public const int HeaderLength = 12;

    /// <summary>RFC 1035, 2.3.4: a name takes at most 255 octets, a label at most 63.</summary>
    public const int LongestName = 255;
    private const int LongestLabel = 63;

    private const int ResponseBit = 0x8000;
    private const int OperationMask = 0x7800;
    private const int RecursionDesiredBit = 0x0100;
    private const int DnssecOkBit = 0x8000;

    // Type, class, TTL and length of a record after its name.
    private const int FixedPartOfRecord = 10;

    private DnsQuery(ReadOnlySpan<byte> header)
    {
        Id = BinaryPrimitives.ReadUInt16BigEndian(header);
        int flags = BinaryPrimitives.ReadUInt16BigEndian(header[2..]);
        IsResponse = (flags & ResponseBit) != 0;
        KeptFlags = (ushort)(flags & (OperationMask | RecursionDesiredBit));
    }

    public ushort Id { get; }

    /// <summary>The flags that a response repeats: the operation, and RD (RFC 1035, 4.1.1).</summary>
    public ushort KeptFlags { get; }

    /// <summary>The question as it was received, letter case included; empty if it could not be read.</summary>
    public ReadOnlySpan<byte> Question { get; private init; }

    /// <summary>The name within <see cref="Question"/>, in the form of the wire.</summary>
    public ReadOnlySpan<byte> Name => Question.IsEmpty ? default : Question[..^4];

    public RecordType Type { get; private init; }

    public ushort Class { get; private init; }

    /// <summary>Whether the client understands EDNS (RFC 6891).</summary>
    public bool HasEdns { get; private init; }

    public byte EdnsVersion { get; private init; }

    /// <summary>The largest UDP response that the client takes, in bytes, as it says; meaningful only with <see cref="HasEdns"/>.</summary>
    public ushort PayloadSize { get; private init; }

    /// <summary>The DO bit, which a response repeats (RFC 3225, 3). The zone is not signed, so it changes nothing else.</summary>
    public bool IsDnssecOk { get; private init; }

    private bool IsResponse { get; }

    private bool IsQuery => (KeptFlags & OperationMask) == 0;

    public static QueryFault TryRead(ReadOnlySpan<byte> message, out DnsQuery query)
    {
        query = default;
        if (message.Length < HeaderLength)
        {
            return QueryFault.Ignore;
        }

        query = new DnsQuery(message);
        if (query.IsResponse)
        {
            return QueryFault.Ignore;
        }

        if (!query.IsQuery)
        {
            return QueryFault.OtherOperation;
        }

        int questions = BinaryPrimitives.ReadUInt16BigEndian(message[4..]);
        int length = questions == 1 ? NameLength(message[HeaderLength..], pointers: false) : 0;
        if (length == 0 || message.Length < HeaderLength + length + 4)
        {
            return QueryFault.Malformed;
        }

        ReadOnlySpan<byte> question = message.Slice(HeaderLength, length + 4);
        query = query with
        {
            Question = question,
            Type = (RecordType)BinaryPrimitives.ReadUInt16BigEndian(question[length..]),
            Class = BinaryPrimitives.ReadUInt16BigEndian(question[(length + 2)..]),
        };
        return ReadRest(message, ref query) ? QueryFault.None : QueryFault.Malformed;
    }

    // The records after the question: IXFR has the client's SOA in the second section (RFC 1995, 3), EDNS an OPT record in the third.
    private static bool ReadRest(ReadOnlySpan<byte> message, ref DnsQuery query)
    {
        int answers = BinaryPrimitives.ReadUInt16BigEndian(message[6..]);
        int authorities = BinaryPrimitives.ReadUInt16BigEndian(message[8..]);
        int additional = BinaryPrimitives.ReadUInt16BigEndian(message[10..]);
        if (answers != 0 || (authorities != 0 && query.Type != RecordType.Ixfr))
        {
            return false;
        }

        ReadOnlySpan<byte> rest = message[(HeaderLength + query.Question.Length)..];
        for (int i = 0; i < authorities + additional; i++)
        {
            int name = NameLength(rest, pointers: true);
            if (name == 0 || rest.Length < name + FixedPartOfRecord)
            {
                return false;
            }

            ReadOnlySpan<byte> record = rest[name..];
            int length = FixedPartOfRecord + BinaryPrimitives.ReadUInt16BigEndian(record[8..]);
            if (record.Length < length)
            {
                return false;
            }

            bool isOption = i >= authorities && BinaryPrimitives.ReadUInt16BigEndian(record) == (ushort)RecordType.Opt;
            if (isOption && (name != 1 || query.HasEdns || !AreOptions(record[FixedPartOfRecord..length])))
            {
                // RFC 6891, 6.1.1: at most one, and its name is the root.
                return false;
            }

            if (isOption)
            {
                query = query with
                {
                    HasEdns = true,
                    PayloadSize = BinaryPrimitives.ReadUInt16BigEndian(record[2..]),
                    EdnsVersion = record[5],
                    IsDnssecOk = (BinaryPrimitives.ReadUInt16BigEndian(record[6..]) & DnssecOkBit) != 0,
                };
            }

            rest = record[length..];
        }

        return rest.IsEmpty;
    }

    // Cookies, client subnets and the like are read over, but their lengths must fit.
    private static bool AreOptions(ReadOnlySpan<byte> data)
    {
        while (data.Length >= 4)
        {
            int length = 4 + BinaryPrimitives.ReadUInt16BigEndian(data[2..]);
            if (data.Length < length)
            {
                return false;
            }

            data = data[length..];
        }

        return data.IsEmpty;
    }

    /// <param name="pointers">Whether the name may end in a compression pointer (RFC 1035, 4.1.4), which is skipped, not followed.</param>
    /// <returns>How many bytes the name takes here; 0 if there is no whole and valid name.</returns>
    private static int NameLength(ReadOnlySpan<byte> bytes, bool pointers)
    {
        int at = 0;
        while (at < bytes.Length && at < LongestName)
        {
            int label = bytes[at];
            if (label == 0)
            {
                return at + 1;
            }

            if (label > LongestLabel)
            {
                bool isPointer = pointers && label >= 0xC0 && at + 2 <= bytes.Length;
                return isPointer ? at + 2 : 0;
            }

            at += 1 + label;
        }

        return 0;
    }
}
