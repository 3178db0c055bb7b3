using System.Buffers.Binary;
using System.Text;
using L4Balancer.Bench.Contestants;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Inspection;

namespace L4Balancer.Bench.Load;

/// <summary>What a client sends before its first message, and what comes back of it through a balancer from a backend that echoes.</summary>
internal abstract class Opening
{
    /// <summary>Every opening, and what comes back, is at most this long, in bytes.</summary>
    public const int Longest = 2048;

    /// <summary>Nothing: the first message is the first that is sent.</summary>
    public static Opening None { get; } = new Nothing();

    public static Opening Of(Duty duty) => duty switch
    {
        Duty.ServerNames => new Hello(),
        Duty.Proxy => new Header(),
        _ => None,
    };

    /// <param name="index">Of the connection; openings differ by it.</param>
    /// <param name="target">At least <see cref="Longest"/> bytes.</param>
    /// <returns>The number of bytes.</returns>
    public abstract int Write(int index, Span<byte> target);

    /// <param name="received">All bytes received so far on the connection.</param>
    /// <param name="length">Where the echo of the first message begins; meaningless with false.</param>
    /// <returns>True if the opening has come back, null if it has come back in part, false if it has not been understood.</returns>
    public abstract bool? TryRead(int index, ReadOnlySpan<byte> received, out int length);

    private sealed class Nothing : Opening
    {
        public override int Write(int index, Span<byte> target) => 0;

        public override bool? TryRead(int index, ReadOnlySpan<byte> received, out int length)
        {
            length = 0;
            return true;
        }
    }

    /// <summary>A ClientHello of 517 bytes, as long as browsers made it by padding (RFC 7685) before post-quantum keys.</summary>
    private sealed class Hello : Opening
    {
        private const int Length = 517;
        private const ushort Padding = 21;

        private readonly byte[][] _hellos = [.. ServerNames.All.Select(Make)];

        public override int Write(int index, Span<byte> target)
        {
            _hellos[index % _hellos.Length].CopyTo(target);
            return Length;
        }

        // It is passed on untouched.
        public override bool? TryRead(int index, ReadOnlySpan<byte> received, out int length)
        {
            length = Length;
            ReadOnlySpan<byte> sent = _hellos[index % _hellos.Length];
            return !received.StartsWith(sent[..Math.Min(Length, received.Length)]) ? false : received.Length < Length ? null : true;
        }

        private static byte[] Make(string name)
        {
            byte[] host = Extension(0, Vector([0, .. Vector(Encoding.ASCII.GetBytes(name))]));
            byte[] alpn = Extension(16, Vector([2, .. "h2"u8, 8, .. "http/1.1"u8]));
            byte[] fixedPart = [3, 3, .. new byte[32], 32, .. new byte[32], .. Vector([0x13, 1, 0x13, 2, 0x13, 3]), 1, 0];

            // Headers of record and message, the length of the extensions, and the header of the padding.
            int padding = Length - 5 - 4 - fixedPart.Length - 2 - host.Length - alpn.Length - 4;
            byte[] body = [.. fixedPart, .. Vector([.. host, .. alpn, .. Extension(Padding, new byte[padding])])];
            return [22, 3, 1, .. Vector([1, 0, .. Vector(body)])];
        }

        private static byte[] Extension(int type, byte[] data) => [(byte)(type >> 8), (byte)type, .. Vector(data)];

        private static byte[] Vector(byte[] bytes) => [(byte)(bytes.Length >> 8), (byte)bytes.Length, .. bytes];
    }

    /// <summary>A PROXY header of version 2 without further values, as HAProxy writes it: 28 bytes.</summary>
    private sealed class Header : Opening
    {
        private const int Length = 28;

        public override int Write(int index, Span<byte> target)
        {
            "\r\n\r\n\0\r\nQUIT\n!"u8.CopyTo(target);
            target[13] = 0x11;
            BinaryPrimitives.WriteUInt16BigEndian(target[14..], 12);
            Endpoint client = ClientOf(index);
            BinaryPrimitives.WriteUInt32BigEndian(target[16..], client.Address.V4);
            BinaryPrimitives.WriteUInt32BigEndian(target[20..], 0xC633_6401);
            BinaryPrimitives.WriteUInt16BigEndian(target[24..], client.Port);
            BinaryPrimitives.WriteUInt16BigEndian(target[26..], 443);
            return Length;
        }

        // Each balancer writes its own form of it; the client must be that of ours.
        public override bool? TryRead(int index, ReadOnlySpan<byte> received, out int length)
        {
            InspectionResult result = ProxyHeader.TryParse(received, out ProxyHeader header);
            length = header.Length;
            return result.Outcome == InspectionOutcome.NeedMore ? null
                : result.Outcome == InspectionOutcome.Parsed && header.Addresses?.Source == ClientOf(index);
        }

        private static Endpoint ClientOf(int index) => new(HostAddress.FromV4(0xCB00_7101 + ((uint)index % 250)), (ushort)(1024 + (index % 60_000)));
    }
}
