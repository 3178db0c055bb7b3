using System.Net.Sockets;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Keeper;

/// <summary>One direction of a connection whose every byte is compared with what belongs at its place.</summary>
internal sealed class CheckedStream(Peer from, Peer to)
{
    /// <summary>A prime, so that a hole of whole pages or buffers shows.</summary>
    private const int Period = 65_521;
    private const int Longest = 256 * 1024;

    private static readonly byte[] Bytes = Make();

    private long _sent;
    private long _received;

    public long Received => Volatile.Read(ref _received);

    /// <summary>Null as long as every byte was right.</summary>
    public string? Fault { get; private set; }

    /// <summary>How it ended; none while it goes on.</summary>
    public StreamEnd? End { get; private set; }

    public async Task SendAsync(int count)
    {
        while (count > 0)
        {
            int sent = await from.Socket.SendAsync(Bytes.AsMemory((int)(_sent % Period), Math.Min(count, Longest)));
            _sent += sent;
            count -= sent;
        }
    }

    /// <summary>Until so many more bytes have come.</summary>
    public async Task ReceiveAsync(int count)
    {
        for (long end = _received + count; _received < end && End is null;)
        {
            await ReceiveSomeAsync((int)(end - _received));
        }
    }

    public async Task ReceiveAllAsync()
    {
        while (End is null)
        {
            await ReceiveSomeAsync(Longest);
        }
    }

    /// <summary>To be called when it has ended: nothing is missing, unless it was reset.</summary>
    public void AssertIsWhole()
    {
        Assert.That(Fault, Is.Null);
        Assert.That(End == StreamEnd.Reset || _received == _sent, Is.True, $"{_received} of {_sent} bytes, end {End}");
    }

    private async Task ReceiveSomeAsync(int most)
    {
        byte[] block = new byte[Math.Min(most, Longest)];
        int received;
        try
        {
            received = await to.Socket.ReceiveAsync(block);
        }
        catch (SocketException)
        {
            End = StreamEnd.Reset;
            return;
        }

        if (received == 0)
        {
            End = StreamEnd.Fin;
        }
        else if (Fault is null && !block.AsSpan(0, received).SequenceEqual(Bytes.AsSpan((int)(_received % Period), received)))
        {
            Fault = $"a byte from {_received} to {_received + received} is not the one that was sent";
        }

        Volatile.Write(ref _received, _received + received);
    }

    private static byte[] Make()
    {
        byte[] period = new byte[Period];
        new Random(4711).NextBytes(period);
        byte[] bytes = new byte[Period + Longest];
        for (int i = 0; i < bytes.Length; i++)
        {
            bytes[i] = period[i % Period];
        }

        return bytes;
    }
}
