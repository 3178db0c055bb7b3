using System.Buffers.Binary;
using System.Numerics;

namespace L4Balancer.Tests.Chaos;

/// <summary>
/// The bytes of one direction of one connection. They follow from the seed of the run and the connection's number, so that any part can be
/// made and checked without the rest. The bytes from the client begin with a head that names the connection, for the backend to
/// recognise it. Immutable.
/// </summary>
internal sealed class ByteStream
{
    /// <summary>Length of the head of what a client sends.</summary>
    public const int HeadSize = 16;

    private const ulong Magic = 0x4c34_6368_616f_7321;
    private const ulong Golden = 0x9e37_79b9_7f4a_7c15;

    /// <summary>How many bytes a wrong piece of the stream is compared with where it should not be.</summary>
    private const int Clue = 16;

    /// <summary>How far from its place a wrong piece is searched for.</summary>
    private const long Reach = 1 << 20;

    private readonly ulong _key;
    private readonly byte[] _head;

    private ByteStream(ulong key, byte[] head) => (_key, _head) = (key, head);

    public static ByteStream FromClient(int seed, ulong number)
    {
        byte[] head = new byte[HeadSize];
        BinaryPrimitives.WriteUInt64LittleEndian(head, Magic ^ (ulong)seed);
        BinaryPrimitives.WriteUInt64LittleEndian(head.AsSpan(8), number);
        return new ByteStream(KeyOf(seed, number, 1), head);
    }

    public static ByteStream FromBackend(int seed, ulong number) => new(KeyOf(seed, number, 2), []);

    /// <summary>The number of the connection that a client's bytes begin with; null if they are not of this run.</summary>
    public static ulong? NumberIn(int seed, ReadOnlySpan<byte> head) =>
        BinaryPrimitives.ReadUInt64LittleEndian(head) == (Magic ^ (ulong)seed)
            ? BinaryPrimitives.ReadUInt64LittleEndian(head[8..]) : null;

    /// <summary>Writes the part of the stream that begins at this position.</summary>
    public void Fill(long position, Span<byte> bytes)
    {
        Span<byte> word = stackalloc byte[8];
        for (int at = 0; at < bytes.Length;)
        {
            long place = position + at;
            BinaryPrimitives.WriteUInt64LittleEndian(word, Mix(_key + ((ulong)(place >> 3) * Golden)));
            ReadOnlySpan<byte> part = word[(int)(place & 7)..];
            part = part[..Math.Min(part.Length, bytes.Length - at)];
            part.CopyTo(bytes[at..]);
            at += part.Length;
        }

        if (position < _head.Length)
        {
            ReadOnlySpan<byte> rest = _head.AsSpan((int)position);
            rest[..Math.Min(rest.Length, bytes.Length)].CopyTo(bytes);
        }
    }

    /// <param name="scratch">At least as long as the bytes.</param>
    /// <returns>Null if the bytes are those of the stream at this position; otherwise what differs, and where it would be right.</returns>
    public string? WhatDiffers(long position, ReadOnlySpan<byte> bytes, Span<byte> scratch)
    {
        Span<byte> right = scratch[..bytes.Length];
        Fill(position, right);
        int same = bytes.CommonPrefixLength(right);
        if (same == bytes.Length)
        {
            return null;
        }

        ReadOnlySpan<byte> wrong = bytes.Slice(same, Math.Min(Clue, bytes.Length - same));
        return $"byte {position + same} differs ({Convert.ToHexString(wrong)} instead of "
            + $"{Convert.ToHexString(right.Slice(same, wrong.Length))}; {Where(position + same, wrong)})";
    }

    private string Where(long position, ReadOnlySpan<byte> wrong)
    {
        Span<byte> part = stackalloc byte[Clue];
        for (long distance = 1; wrong.Length >= 8 && distance <= Reach; distance++)
        {
            foreach (long place in (ReadOnlySpan<long>)[position + distance, position - distance])
            {
                Span<byte> there = part[..wrong.Length];
                if (place >= 0)
                {
                    Fill(place, there);
                    if (wrong.SequenceEqual(there))
                    {
                        return place > position ? $"{distance} bytes are missing" : $"the last {distance} bytes are repeated";
                    }
                }
            }
        }

        return "bytes that are not near in this stream";
    }

    private static ulong KeyOf(int seed, ulong number, ulong direction) => Mix(Mix((uint)seed + direction) + (number * Golden));

    private static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 32)) * 0xd6e8_feb8_6659_fd93;
        return BitOperations.RotateLeft(value, 29) ^ (value >> 32);
    }
}
