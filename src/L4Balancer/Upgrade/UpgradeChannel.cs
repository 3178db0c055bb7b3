using System.Buffers.Binary;
using System.Runtime.Versioning;
using System.Text;
using L4Balancer.Core.Config;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Upgrade;

/// <summary>
/// Messages between the two processes of an upgrade, with descriptors, bounded in size and time. A message is one packet or several: each has a
/// head of 12 bytes (kind, version of the framing, two bytes of zero; the length of the message, and the number of its descriptors), and a part of both. The calls
/// block; one thread at a time sends, and one receives.
/// </summary>
[SupportedOSPlatform("linux")]
internal sealed class UpgradeChannel(PacketPair pair) : IDisposable
{
    private const int HeadSize = 12;
    private const byte Framing = 1;

    /// <summary>Of one message. The largest is the state: 100,000 sticky entries are 10 MB.</summary>
    internal const int LongestMessage = 256 << 20;

    internal const int MostDescriptors = 16 * 1024;

    private readonly byte[] _sent = new byte[PacketPair.LongestPacket];
    private readonly byte[] _received = new byte[PacketPair.LongestPacket];

    /// <summary>The process at the other end, once it is known; its end ends the channel.</summary>
    public WatchedProcess? Peer
    {
        get => pair.Peer;
        set => pair.Peer = value;
    }

    /// <summary>What the other process is called in errors.</summary>
    public required string Other { get; init; }

    /// <param name="descriptors">The other process gets duplicates; they remain the caller's.</param>
    /// <param name="limit">For each packet.</param>
    /// <exception cref="UpgradeException">The other process has ended, or does not read.</exception>
    public void Send(UpgradeMessageKind kind, ReadOnlySpan<byte> body, IReadOnlyList<int> descriptors, TimeSpan limit)
    {
        if (body.Length > LongestMessage || descriptors.Count > MostDescriptors)
        {
            throw new UpgradeException($"a message of {body.Length} bytes and {descriptors.Count} descriptors is too large for an upgrade");
        }

        Span<int> part = stackalloc int[PacketPair.MostDescriptors];
        int sentBytes = 0;
        int sentDescriptors = 0;
        do
        {
            int bytes = Math.Min(body.Length - sentBytes, _sent.Length - HeadSize);
            int count = Math.Min(descriptors.Count - sentDescriptors, part.Length);
            WriteHead(_sent, kind, body.Length, descriptors.Count);
            body.Slice(sentBytes, bytes).CopyTo(_sent.AsSpan(HeadSize));
            for (int i = 0; i < count; i++)
            {
                part[i] = descriptors[sentDescriptors + i];
            }

            Check(pair.Send(_sent.AsSpan(0, HeadSize + bytes), part[..count], limit), $"does not read {kind}", limit);
            sentBytes += bytes;
            sentDescriptors += count;
        }
        while (sentBytes < body.Length || sentDescriptors < descriptors.Count);
    }

    public void Send(UpgradeMessageKind kind, ReadOnlyMemory<byte> body, TimeSpan limit) => Send(kind, body.Span, [], limit);

    /// <summary>Tells the other process why this one gives up, if it still reads.</summary>
    public void TrySendFault(string why)
    {
        try
        {
            Send(UpgradeMessageKind.Fault, Encoding.UTF8.GetBytes(why), [], TimeSpan.FromSeconds(1));
        }
        catch (UpgradeException)
        {
            // It learns of it from the end of the channel.
        }
    }

    /// <summary>Waits for the next message, which must be of this kind.</summary>
    /// <param name="limit">Until its first packet, and for each further one.</param>
    /// <exception cref="UpgradeException">
    /// The other process has ended, has sent nothing within the time, something else, or why it gives up.
    /// </exception>
    public UpgradeMessage Receive(UpgradeMessageKind kind, TimeSpan limit) => Receive(limit, kind);

    /// <summary>As above, for one of several kinds.</summary>
    public UpgradeMessage Receive(TimeSpan limit, params ReadOnlySpan<UpgradeMessageKind> kinds)
    {
        UpgradeMessage message = ReceiveAny(limit, kinds[0]);
        if (kinds.Contains(message.Kind))
        {
            return message;
        }

        using (message)
        {
            throw message.Kind == UpgradeMessageKind.Fault
                ? new UpgradeException($"{Other} gave up: {Encoding.UTF8.GetString(message.Body)}")
                : new UpgradeException($"{Other} sent {message.Kind} instead of {kinds[0]}");
        }
    }

    /// <summary>Ends the channel; a call that waits ends with an exception. Any thread.</summary>
    public void Shut() => pair.Shut();

    public void Dispose() => pair.Dispose();

    private static void WriteHead(Span<byte> packet, UpgradeMessageKind kind, int length, int descriptors)
    {
        packet[..HeadSize].Clear();
        packet[0] = (byte)kind;
        packet[1] = Framing;
        BinaryPrimitives.WriteInt32LittleEndian(packet[4..], length);
        BinaryPrimitives.WriteInt32LittleEndian(packet[8..], descriptors);
    }

    private UpgradeMessage ReceiveAny(TimeSpan limit, UpgradeMessageKind expected)
    {
        List<int> descriptors = [];
        bool lacks = false;
        bool complete = false;
        try
        {
            byte[]? body = null;
            int filled = 0;
            int promised = 0;
            int came = 0;
            UpgradeMessageKind kind = UpgradeMessageKind.None;
            Span<int> part = stackalloc int[PacketPair.MostDescriptors];
            do
            {
                PacketResult result = pair.Receive(_received, part, limit, out int length, out int count);
                if (result == PacketResult.DescriptorsLost)
                {
                    // How many were in this packet is not known: the sender fills each.
                    lacks = true;
                    came = Math.Min(came + part.Length, promised == 0 ? int.MaxValue : promised);
                }
                else
                {
                    Check(result, $"did not send {expected}", limit);
                    came += count;
                    descriptors.AddRange(part[..count]);
                }

                ReadOnlySpan<byte> packet = _received.AsSpan(0, length);
                if (body is null)
                {
                    (kind, int total, promised) = ReadHead(packet);
                    body = new byte[total];
                    came = lacks ? Math.Min(PacketPair.MostDescriptors, promised) : came;
                }
                else if (ReadHead(packet) != (kind, body.Length, promised))
                {
                    throw Unreadable();
                }

                ReadOnlySpan<byte> bytes = packet[HeadSize..];
                if (bytes.Length > body.Length - filled || came > promised)
                {
                    throw Unreadable();
                }

                bytes.CopyTo(body.AsSpan(filled));
                filled += bytes.Length;
            }
            while (filled < body.Length || came < promised);
            complete = true;
            if (lacks)
            {
                CloseAll(descriptors);
            }

            return new UpgradeMessage(kind, body, descriptors, lacks);
        }
        finally
        {
            if (!complete)
            {
                CloseAll(descriptors);
            }
        }
    }

    private (UpgradeMessageKind Kind, int Length, int Descriptors) ReadHead(ReadOnlySpan<byte> packet)
    {
        if (packet.Length < HeadSize || packet[1] != Framing)
        {
            throw Unreadable();
        }

        int length = BinaryPrimitives.ReadInt32LittleEndian(packet[4..]);
        int descriptors = BinaryPrimitives.ReadInt32LittleEndian(packet[8..]);
        return length is >= 0 and <= LongestMessage && descriptors is >= 0 and <= MostDescriptors
            ? ((UpgradeMessageKind)packet[0], length, descriptors) : throw Unreadable();
    }

    private static void CloseAll(List<int> descriptors)
    {
        descriptors.ForEach(PacketPair.Close);
        descriptors.Clear();
    }

    private UpgradeException Unreadable() => new($"{Other} sent what cannot be read: it is not an l4balancer that can take part in an upgrade");

    private void Check(PacketResult result, string silence, TimeSpan limit)
    {
        switch (result)
        {
            case PacketResult.Done:
                return;
            case PacketResult.TimedOut:
                throw new UpgradeSilenceException($"{Other} {silence} within {Duration.Format(limit)}");
            case PacketResult.Ended:
                throw new UpgradePeerEndedException($"{Other} has ended");
            default:
                throw new UpgradeException($"the kernel refused to pass a message to or from {Other}");
        }
    }
}
