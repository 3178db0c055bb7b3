using System.Buffers.Binary;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Dns;

/// <summary>
/// Writes one response (RFC 1035, 4.1) into a buffer. A record that does not fit is not written at all. Names are compressed by pointers
/// into the question, except targets of SRV records, which must not be (RFC 2782). No allocations.
/// </summary>
internal ref struct AnswerWriter
{
    /// <summary>Points to the name of the question, which stands right after the header.</summary>
    private const ushort Asked = PointerBits | DnsQuery.HeaderLength;

    private const ushort PointerBits = 0xC000;

    /// <summary>A pointer has 14 bits.</summary>
    private const int FarthestPointer = 0x3FFF;

    private const ushort Internet = 1;
    private const int OptionLength = 11;
    private const int RecordHead = 12;

    private readonly Span<byte> _whole;
    private readonly Span<byte> _records;
    private readonly bool _hasEdns;
    private readonly bool _isDnssecOk;
    private readonly ushort _zone;
    private int _length;
    private ushort _answers;
    private ushort _authorities;
    private ushort _additional;

    /// <param name="buffer">Has room for at least 512 bytes.</param>
    /// <param name="zoneAt">Where the name of the zone begins in the name of the question; 0 if nothing of the zone is written.</param>
    public AnswerWriter(Span<byte> buffer, in DnsQuery query, int zoneAt = 0)
    {
        _whole = buffer;
        _hasEdns = query.HasEdns;
        _isDnssecOk = query.IsDnssecOk;
        _records = _hasEdns ? buffer[..^OptionLength] : buffer;
        _zone = (ushort)(Asked + zoneAt);
        buffer[..DnsQuery.HeaderLength].Clear();
        BinaryPrimitives.WriteUInt16BigEndian(buffer, query.Id);
        BinaryPrimitives.WriteUInt16BigEndian(buffer[2..], query.KeptFlags);
        BinaryPrimitives.WriteUInt16BigEndian(buffer[4..], (ushort)(query.Question.IsEmpty ? 0 : 1));
        query.Question.CopyTo(buffer[DnsQuery.HeaderLength..]);
        _length = DnsQuery.HeaderLength + query.Question.Length;
    }

    /// <summary>Whether the response lacks what the client asked for; sets TC.</summary>
    public bool IsCut { get; set; }

    /// <summary>An A or AAAA record of the name that was asked.</summary>
    public bool TryAddress(HostAddress address, uint ttl) => TryAddress(Asked, address, ttl, ref _answers);

    /// <summary>An A or AAAA record for a name that an earlier record mentions.</summary>
    /// <param name="nameAt">Where that name stands in the response.</param>
    public bool TryAdditional(int nameAt, HostAddress address, uint ttl) =>
        nameAt <= FarthestPointer && TryAddress((ushort)(PointerBits | nameAt), address, ttl, ref _additional);

    /// <summary>An SRV record of the name that was asked (RFC 2782).</summary>
    /// <param name="targetAt">Where its target stands in the response.</param>
    public bool TryService(in ServiceRecord service, uint ttl, out int targetAt)
    {
        targetAt = 0;
        if (!TryBegin(Asked, RecordType.Srv, ttl, 6 + service.Target.Length, out Span<byte> data))
        {
            return false;
        }

        BinaryPrimitives.WriteUInt16BigEndian(data, service.Priority);
        BinaryPrimitives.WriteUInt16BigEndian(data[2..], service.Weight);
        BinaryPrimitives.WriteUInt16BigEndian(data[4..], service.Port);
        service.Target.CopyTo(data[6..]);
        targetAt = _length - service.Target.Length;
        _answers++;
        return true;
    }

    /// <summary>The NS record of the zone: the label <c>ns</c> in the zone.</summary>
    /// <param name="targetAt">Where the name of the name server stands in the response.</param>
    public bool TryNameServer(uint ttl, out int targetAt)
    {
        ReadOnlySpan<byte> label = ZoneNames.NameServerLabel;
        targetAt = 0;
        if (!TryBegin(_zone, RecordType.Ns, ttl, label.Length + 2, out Span<byte> data))
        {
            return false;
        }

        WriteInZone(label, data);
        targetAt = _length - data.Length;
        _answers++;
        return true;
    }

    /// <summary>The SOA record of the zone (RFC 1035, 3.3.13).</summary>
    /// <param name="isAnswer">False: it stands in the authority section, for a negative answer (RFC 2308, 3).</param>
    public bool TryStart(uint serial, uint ttl, bool isAnswer)
    {
        ReadOnlySpan<byte> server = ZoneNames.NameServerLabel;
        ReadOnlySpan<byte> mailbox = ZoneNames.MailboxLabel;
        int names = server.Length + 2 + mailbox.Length + 2;
        if (!TryBegin(_zone, RecordType.Soa, ttl, names + 20, out Span<byte> data))
        {
            return false;
        }

        WriteInZone(server, data);
        WriteInZone(mailbox, data[(server.Length + 2)..]);
        data = data[names..];
        BinaryPrimitives.WriteUInt32BigEndian(data, serial);
        BinaryPrimitives.WriteUInt32BigEndian(data[4..], ZoneNames.Refresh);
        BinaryPrimitives.WriteUInt32BigEndian(data[8..], ZoneNames.Retry);
        BinaryPrimitives.WriteUInt32BigEndian(data[12..], ZoneNames.Expire);
        BinaryPrimitives.WriteUInt32BigEndian(data[16..], ttl);
        _ = isAnswer ? _answers++ : _authorities++;
        return true;
    }

    /// <summary>The answer to ANY: one record that says that it is not answered (RFC 8482, 4.2).</summary>
    public bool TryNotAny(uint ttl)
    {
        ReadOnlySpan<byte> text = "\u0007RFC8482\0"u8;
        if (!TryBegin(Asked, RecordType.Hinfo, ttl, text.Length, out Span<byte> data))
        {
            return false;
        }

        text.CopyTo(data);
        _answers++;
        return true;
    }

    /// <summary>Completes the response.</summary>
    /// <param name="isAuthoritative">Whether the name is in the zone.</param>
    /// <returns>Its length in bytes.</returns>
    public int Finish(ResponseCode code, bool isAuthoritative)
    {
        if (_hasEdns)
        {
            Span<byte> option = _whole.Slice(_length, OptionLength);
            option.Clear();
            BinaryPrimitives.WriteUInt16BigEndian(option[1..], (ushort)RecordType.Opt);
            BinaryPrimitives.WriteUInt16BigEndian(option[3..], DnsAnswers.LargestUdp);
            option[5] = (byte)((ushort)code >> 4);
            option[7] = (byte)(_isDnssecOk ? 0x80 : 0);
            _length += OptionLength;
            _additional++;
        }

        const int Response = 0x8000;
        const int Authoritative = 0x0400;
        const int Truncated = 0x0200;
        int flags = BinaryPrimitives.ReadUInt16BigEndian(_whole[2..]) | Response | ((ushort)code & 0xF)
            | (isAuthoritative ? Authoritative : 0) | (IsCut ? Truncated : 0);
        BinaryPrimitives.WriteUInt16BigEndian(_whole[2..], (ushort)flags);
        BinaryPrimitives.WriteUInt16BigEndian(_whole[6..], _answers);
        BinaryPrimitives.WriteUInt16BigEndian(_whole[8..], _authorities);
        BinaryPrimitives.WriteUInt16BigEndian(_whole[10..], _additional);
        return _length;
    }

    private bool TryAddress(ushort owner, HostAddress address, uint ttl, ref ushort count)
    {
        bool v4 = address.IsV4;
        if (!TryBegin(owner, v4 ? RecordType.A : RecordType.Aaaa, ttl, v4 ? 4 : 16, out Span<byte> data))
        {
            return false;
        }

        if (v4)
        {
            BinaryPrimitives.WriteUInt32BigEndian(data, address.V4);
        }
        else
        {
            address.WriteTo(data);
        }

        count++;
        return true;
    }

    private bool TryBegin(ushort owner, RecordType type, uint ttl, int dataLength, out Span<byte> data)
    {
        data = default;
        if (_records.Length - _length < RecordHead + dataLength)
        {
            return false;
        }

        Span<byte> head = _records[_length..];
        BinaryPrimitives.WriteUInt16BigEndian(head, owner);
        BinaryPrimitives.WriteUInt16BigEndian(head[2..], (ushort)type);
        BinaryPrimitives.WriteUInt16BigEndian(head[4..], Internet);
        BinaryPrimitives.WriteUInt32BigEndian(head[6..], ttl);
        BinaryPrimitives.WriteUInt16BigEndian(head[10..], (ushort)dataLength);
        data = head.Slice(RecordHead, dataLength);
        _length += RecordHead + dataLength;
        return true;
    }

    private readonly void WriteInZone(ReadOnlySpan<byte> label, Span<byte> destination)
    {
        label.CopyTo(destination);
        BinaryPrimitives.WriteUInt16BigEndian(destination[label.Length..], _zone);
    }
}
