using System.Buffers.Binary;
using System.Collections.Immutable;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;

namespace L4Balancer.Core.Inspection;

/// <summary>
/// The <c>hash_key</c> of a pool: which parts of the tuple, and which named fields of what the client sent, make up the key of a
/// connection. The canonical bytes are published in docs/hashing.md, 2. Immutable; any thread.
/// </summary>
/// <param name="tuple">The parts of the tuple.</param>
/// <param name="named">In any order; duplicates have no effect.</param>
/// <param name="net4">Length of the prefix of an IPv4 client that <c>source-net</c> stands for, 0 to 32.</param>
/// <param name="net6">The same for IPv6, 0 to 128.</param>
public sealed class HashKey(
    TupleFields tuple, IEnumerable<HashKeyField> named, int net4 = HashKey.DefaultNet4, int net6 = HashKey.DefaultNet6)
{
    public const int DefaultNet4 = 24;
    public const int DefaultNet6 = 64;

    private const int AddressLength = 16;
    private const int V4Offset = 96;

    public TupleFields Tuple { get; } = tuple;

    /// <summary>In the order in which they are hashed.</summary>
    public ImmutableArray<HashKeyField> Named { get; } = [.. named.Distinct().Order(Comparer<HashKeyField>.Create(HashKeyField.Compare))];

    /// <summary>
    /// Whether the key is the value of one field of variable length and nothing else: then the value itself is hashed, so that it can be
    /// given in its place (<c>locate --key</c>, <c>GET /v1/endpoint?key=</c>).
    /// </summary>
    public bool IsSingleValue => Tuple == TupleFields.None && Named is [{ Kind: not HashKeyKind.SourceNet }];

    /// <summary>How long the buffer of <see cref="Write"/> must be.</summary>
    /// <param name="limit">The most bytes that were inspected.</param>
    public int BufferLength(int limit) =>
        TupleHash.MaxLength + Named.Sum(field => field.Kind == HashKeyKind.SourceNet ? AddressLength : sizeof(uint) + limit);

    /// <summary>
    /// The key of a connection. If one of the named fields is missing, or empty, the key consists of all four parts of the tuple
    /// (<c>route_key_missing_total</c>). Allocates nothing.
    /// </summary>
    /// <param name="tuple">The connection of the client, that which a PROXY header names if there was one.</param>
    /// <param name="inspected">What the client sent.</param>
    /// <param name="buffer">At least <see cref="BufferLength"/> bytes; the key lies in it.</param>
    /// <param name="isMissing">Whether a named field was missing.</param>
    public RouteKey Write(scoped in FourTuple tuple, scoped Inspected inspected, Span<byte> buffer, out bool isMissing)
    {
        isMissing = false;
        int length = TupleHash.Write(tuple, Tuple, buffer);
        foreach (HashKeyField field in Named)
        {
            if (field.Kind == HashKeyKind.SourceNet)
            {
                WriteNet(tuple.Source.Address, buffer[length..]);
                length += AddressLength;
                continue;
            }

            int prefix = IsSingleValue ? 0 : sizeof(uint);
            int written = WriteValue(field, inspected, buffer[(length + prefix)..]);
            if (written == 0)
            {
                isMissing = true;
                return new RouteKey(buffer[..TupleHash.Write(tuple, TupleFields.All, buffer)]);
            }

            if (prefix > 0)
            {
                BinaryPrimitives.WriteUInt32BigEndian(buffer[length..], (uint)written);
            }

            length += prefix + written;
        }

        return new RouteKey(buffer[..length]);
    }

    private void WriteNet(HostAddress source, Span<byte> buffer) =>
        source.Masked(source.IsV4 ? V4Offset + net4 : net6).WriteTo(buffer);

    // The number of bytes written, 0 if there is no value. Where decoding happens, it happens in the buffer itself.
    private static int WriteValue(HashKeyField field, scoped in Inspected inspected, Span<byte> buffer)
    {
        scoped RequestHead request = inspected.Request;
        scoped ReadOnlySpan<byte> value = default;
        if (field.Kind == HashKeyKind.Sni)
        {
            value = inspected.Hello.ServerName;
        }
        else if (inspected.HasRequest)
        {
            _ = field.Kind switch
            {
                HashKeyKind.HttpHeader => request.TryGetHeader(field.NameBytes, out value),
                HashKeyKind.HttpCookie => request.TryGetCookie(field.NameBytes, out value),
                HashKeyKind.HttpQuery => request.TryGetQuery(field.NameBytes, buffer, out value),
                _ => TryGetPath(request.Path, field.Segments, buffer, out value),
            };
        }

        // A value that was decoded lies at the beginning of the buffer already.
        value.CopyTo(buffer);
        return value.Length;
    }

    // Up to the slash after the last segment that counts, without it. Segments are those of the path as sent: "%2F" separates none.
    private static bool TryGetPath(ReadOnlySpan<byte> path, int segments, Span<byte> buffer, out ReadOnlySpan<byte> value)
    {
        int end = segments == 0 ? path.Length : 0;
        for (int i = 0; i < segments && end < path.Length; i++)
        {
            int slash = path[(end + 1)..].IndexOf((byte)'/');
            end = slash < 0 ? path.Length : end + 1 + slash;
        }

        value = PercentEncoding.NormalizePath(path[..end], buffer);
        return !value.IsEmpty;
    }
}
