using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Globalization;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;

namespace L4Balancer.Core.Inspection;

/// <summary>
/// The <c>hash_key</c> of a pool: which parts of the tuple, and which named fields of what the client sent, make up the key of a
/// connection. The canonical bytes are published in docs/hashing.md, 2. Immutable; any thread.
/// </summary>
/// <param name="tuple">The parts of the tuple.</param>
/// <param name="named">In any order; duplicates have no effect.</param>
public sealed class HashKey(TupleKey tuple, params IEnumerable<HashKeyField> named) : IEquatable<HashKey>
{
    public TupleKey Tuple { get; } = tuple;

    /// <summary>In the order in which they are hashed.</summary>
    public ImmutableArray<HashKeyField> Named { get; } = [.. named.Distinct().Order(Comparer<HashKeyField>.Create(HashKeyField.Compare))];

    /// <summary>Whether the key consists of parts of the tuple alone: it is known as soon as the client is.</summary>
    public bool IsTuple => Named.IsEmpty;

    /// <summary>
    /// Whether the key is the value of one named field and nothing else: then the value itself is hashed, so that it can be given in its
    /// place (<c>locate --key</c>, <c>GET /v1/endpoint?key=</c>).
    /// </summary>
    public bool IsSingleValue => Tuple.Fields == TupleFields.None && Named.Length == 1;

    /// <summary>Equal for equal keys, in every process, and for others with a probability of one in four thousand million.</summary>
    internal uint Fingerprint => (uint)TupleHash.OfText(string.Create(
        CultureInfo.InvariantCulture, $"{(int)Tuple.Fields}/{Tuple.Net.V4}/{Tuple.Net.V6} {string.Join(' ', Named)}"));

    /// <summary>How long the buffer of <see cref="Write"/> must be.</summary>
    /// <param name="limit">The most bytes that one value may have.</param>
    public int BufferLength(int limit) => TupleHash.MaxLength + (Named.Length * (sizeof(uint) + limit));

    /// <summary>The key of a connection of which only the tuple counts: if there are named fields, they are missing.</summary>
    /// <param name="tuple">As for <see cref="Write"/>.</param>
    /// <param name="buffer">At least <see cref="TupleHash.MaxLength"/> bytes; the key lies in it.</param>
    public RouteKey OfTuple(scoped in FourTuple tuple, Span<byte> buffer) =>
        new(buffer[..TupleHash.Write(tuple, IsTuple ? Tuple : TupleFields.All, buffer)]);

    /// <summary>
    /// The key of a connection. If one of the named fields is missing, or empty, the key consists of all four parts of the tuple
    /// (<c>route_key_missing_total</c>). Allocates nothing.
    /// </summary>
    /// <param name="tuple">The connection of the client, that which a PROXY header names if there was one.</param>
    /// <param name="inspected">What the client sent.</param>
    /// <param name="buffer">At least <see cref="BufferLength"/> bytes of <see cref="Inspected.LongestValue"/>; the key lies in it.</param>
    /// <param name="isMissing">Whether a named field was missing.</param>
    public RouteKey Write(scoped in FourTuple tuple, scoped Inspected inspected, Span<byte> buffer, out bool isMissing)
    {
        isMissing = false;
        int length = TupleHash.Write(tuple, Tuple, buffer);
        int prefix = IsSingleValue ? 0 : sizeof(uint);
        foreach (HashKeyField field in Named)
        {
            int written = WriteValue(field, inspected, buffer[(length + prefix)..]);
            if (written == 0)
            {
                isMissing = true;
                return OfTuple(tuple, buffer);
            }

            if (prefix > 0)
            {
                BinaryPrimitives.WriteUInt32BigEndian(buffer[length..], (uint)written);
            }

            length += prefix + written;
        }

        return new RouteKey(buffer[..length]);
    }

    /// <summary>
    /// The key with a value that is given: in place of the only named field, else in place of the whole key (<c>locate --key</c>).
    /// </summary>
    public byte[] WithValue(in FourTuple tuple, ReadOnlySpan<byte> value)
    {
        if (Named.Length != 1 || IsSingleValue)
        {
            return value.ToArray();
        }

        var key = new byte[BufferLength(value.Length)];
        int length = TupleHash.Write(tuple, Tuple, key);
        BinaryPrimitives.WriteUInt32BigEndian(key.AsSpan(length), (uint)value.Length);
        value.CopyTo(key.AsSpan(length + sizeof(uint)));
        return key[..(length + sizeof(uint) + value.Length)];
    }

    /// <summary>The values of the named fields in a key that has them all, for people: separated by spaces, cut off where it is long.</summary>
    /// <param name="key">As <see cref="Write"/> returned it.</param>
    /// <param name="most">The most bytes that are shown of all values together.</param>
    public string Show(ReadOnlySpan<byte> key, int most)
    {
        if (IsSingleValue)
        {
            return ShownText.Of(key, most);
        }

        Span<byte> text = stackalloc byte[most + 1];
        int length = 0;
        ReadOnlySpan<byte> rest = key[TupleHash.Write(default, Tuple, stackalloc byte[TupleHash.MaxLength])..];
        while (rest.Length > sizeof(uint) && length <= most)
        {
            ReadOnlySpan<byte> value = rest.Slice(sizeof(uint), (int)BinaryPrimitives.ReadUInt32BigEndian(rest));
            rest = rest[(sizeof(uint) + value.Length)..];
            if (length > 0)
            {
                text[length++] = (byte)' ';
            }

            value = value[..Math.Min(value.Length, text.Length - length)];
            value.CopyTo(text[length..]);
            length += value.Length;
        }

        return ShownText.Of(text[..length], most);
    }

    public bool Equals(HashKey? other) => other is not null && Tuple == other.Tuple && Named.SequenceEqual(other.Named);

    public override bool Equals(object? obj) => Equals(obj as HashKey);

    public override int GetHashCode() => HashCode.Combine(Tuple, Named.Length);

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
