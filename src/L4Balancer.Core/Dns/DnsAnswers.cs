using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Dns;

/// <summary>
/// Answers one DNS message from a zone: an authoritative server without recursion, transfers, updates and signatures (RFC 1034, 4.3.1; RFC
/// 1035; EDNS: RFC 6891). Pure: bytes in, bytes out, nothing is kept. Never throws on any input. Any thread.
/// </summary>
public static class DnsAnswers
{
    /// <summary>The largest response over UDP, in bytes: it passes every usual path in one packet (DNS flag day 2020).</summary>
    public const int LargestUdp = 1232;

    /// <summary>The largest response over TCP (RFC 1035, 4.2.2).</summary>
    public const int LargestTcp = ushort.MaxValue;

    /// <summary>Room that a response may need: less is not offered.</summary>
    public const int SmallestUdp = 512;

    /// <summary>Addresses of one answer, and SRV records of one over UDP.</summary>
    public const int MostRecords = 8;

    /// <summary>
    /// Records of the zone's structure do not change, so that resolvers keep the delegation though answers are short-lived. Seconds.
    /// </summary>
    private const uint StructureTtl = 3600;

    private const ushort Internet = 1;

    /// <param name="message">One message as it was received, without the length that precedes it over TCP.</param>
    /// <param name="overTcp">
    /// Whether the response may be of any length; otherwise it has at most 512 bytes, or with EDNS at most 1,232.
    /// </param>
    /// <param name="draw">Decides which records an answer has and in what order; another number for each message.</param>
    /// <param name="response">
    /// Receives the response: <see cref="LargestUdp"/> or <see cref="LargestTcp"/> bytes, never fewer than 512.
    /// </param>
    /// <returns>The length of the response; 0 if there must be none.</returns>
    public static int Answer(DnsZone zone, ReadOnlySpan<byte> message, bool overTcp, ulong draw, Span<byte> response, out DnsResult result)
    {
        ArgumentNullException.ThrowIfNull(zone);
        QueryFault fault = DnsQuery.TryRead(message, out DnsQuery query);
        Span<byte> room = overTcp ? response : response[..Math.Min(response.Length, RoomOf(query))];
        if (fault != QueryFault.None)
        {
            result = fault == QueryFault.Ignore ? DnsResult.Ignored : DnsResult.Invalid;
            ResponseCode code = fault == QueryFault.Malformed ? ResponseCode.FormErr : ResponseCode.NotImp;
            return fault == QueryFault.Ignore ? 0 : new AnswerWriter(room, query).Finish(code, isAuthoritative: false);
        }

        if (query.EdnsVersion != 0 || query.Type == RecordType.Opt)
        {
            result = DnsResult.Invalid;
            return new AnswerWriter(room, query).Finish(
                query.EdnsVersion != 0 ? ResponseCode.BadVers : ResponseCode.FormErr, isAuthoritative: false);
        }

        Span<byte> name = stackalloc byte[DnsQuery.LongestName];
        name = name[..query.Name.Length];
        ToLower(query.Name, name);
        int zoneAt = ZoneNames.Find(name, zone.Name);
        if (zoneAt < 0 || query.Class != Internet || query.Type is >= RecordType.Tkey and <= RecordType.MailA)
        {
            result = DnsResult.Refused;
            return new AnswerWriter(room, query).Finish(ResponseCode.Refused, isAuthoritative: false);
        }

        var writer = new AnswerWriter(room, query, zoneAt);
        result = Write(ref writer, zone, zone.Find(name), query.Type, overTcp, draw);
        return writer.Finish(result == DnsResult.NoName ? ResponseCode.NxDomain : ResponseCode.NoError, isAuthoritative: true);
    }

    /// <summary>
    /// The response to a client above its rate: empty and truncated, so that a real client asks again over TCP, and no larger than the
    /// question, so that questions with a forged source address gain nothing.
    /// </summary>
    /// <param name="response">At least 512 bytes.</param>
    /// <returns>As for <see cref="Answer"/>.</returns>
    public static int Truncate(ReadOnlySpan<byte> message, Span<byte> response)
    {
        if (DnsQuery.TryRead(message, out DnsQuery query) != QueryFault.None)
        {
            return 0;
        }

        var writer = new AnswerWriter(response, query) { IsCut = true };
        return writer.Finish(ResponseCode.NoError, isAuthoritative: false);
    }

    private static int RoomOf(in DnsQuery query) =>
        query.HasEdns ? Math.Clamp((int)query.PayloadSize, SmallestUdp, LargestUdp) : SmallestUdp;

    // The lengths of labels, at most 63, are below 'A' and stay as they are.
    private static void ToLower(ReadOnlySpan<byte> name, Span<byte> lower)
    {
        for (int i = 0; i < name.Length; i++)
        {
            byte b = name[i];
            lower[i] = b is >= (byte)'A' and <= (byte)'Z' ? (byte)(b | 0x20) : b;
        }
    }

    private static DnsResult Write(ref AnswerWriter writer, DnsZone zone, ZoneNode? node, RecordType type, bool overTcp, ulong draw)
    {
        if (node is null)
        {
            writer.IsCut |= !writer.TryStart(zone.Serial, zone.Ttl, isAnswer: false);
            return DnsResult.NoName;
        }

        bool hasSome = type switch
        {
            RecordType.A or RecordType.Aaaa => WriteAddresses(ref writer, node.Of(type), zone.Ttl, draw),
            RecordType.Srv => WriteServices(ref writer, node.Services, zone.Ttl, overTcp, draw),
            RecordType.Any => Fits(ref writer, writer.TryNotAny(StructureTtl)),
            RecordType.Soa when node.IsApex => Fits(ref writer, writer.TryStart(zone.Serial, zone.Ttl, isAnswer: true)),
            RecordType.Ns when node.IsApex => WriteNameServer(ref writer, zone),
            _ => false,
        };
        if (!hasSome)
        {
            writer.IsCut |= !writer.TryStart(zone.Serial, zone.Ttl, isAnswer: false);
        }

        return writer.IsCut ? DnsResult.Truncated : hasSome ? DnsResult.Success : DnsResult.NoData;
    }

    private static bool Fits(ref AnswerWriter writer, bool fits)
    {
        writer.IsCut |= !fits;
        return true;
    }

    // A choice by weight is the whole answer: the others would not be used, and asking again over TCP would gain nothing.
    private static bool WriteAddresses(ref AnswerWriter writer, AddressSet addresses, uint ttl, ulong draw)
    {
        Span<int> chosen = stackalloc int[MostRecords];
        chosen = chosen[..addresses.Choose(draw, chosen)];
        foreach (int index in chosen)
        {
            writer.IsCut |= !writer.TryAddress(addresses.Addresses[index], ttl);
        }

        return !chosen.IsEmpty;
    }

    // Clients choose among SRV records by themselves, so they need all of them: what does not fit comes over TCP.
    private static bool WriteServices(ref AnswerWriter writer, ServiceSet services, uint ttl, bool overTcp, ulong draw)
    {
        Span<int> chosen = stackalloc int[MostRecords];
        Span<int> targets = stackalloc int[MostRecords];
        bool isChoice = !overTcp && services.All.Length > MostRecords;
        int count = isChoice ? services.Choose(draw, chosen) : services.All.Length;
        writer.IsCut = isChoice;
        int written = 0;
        for (; written < count; written++)
        {
            ServiceRecord service = services.All[isChoice ? chosen[written] : written];
            if (!writer.TryService(service, ttl, out int target))
            {
                writer.IsCut = true;
                break;
            }

            if (written < MostRecords)
            {
                targets[written] = target;
            }
        }

        for (int i = 0; !writer.IsCut && i < Math.Min(written, MostRecords); i++)
        {
            // What does not fit here is asked for separately, and is no reason to set TC (RFC 2181, 9).
            _ = services.All[i].Address is { } address && writer.TryAdditional(targets[i], address, ttl);
        }

        return count > 0;
    }

    private static bool WriteNameServer(ref AnswerWriter writer, DnsZone zone)
    {
        if (!writer.TryNameServer(StructureTtl, out int target))
        {
            return Fits(ref writer, fits: false);
        }

        ZoneNode apex = zone.Find(zone.Name)!;
        int left = MostRecords;
        foreach (HostAddress address in apex.V4.Addresses.Concat(apex.V6.Addresses))
        {
            if (left-- == 0 || !writer.TryAdditional(target, address, zone.Ttl))
            {
                break;
            }
        }

        return true;
    }
}
