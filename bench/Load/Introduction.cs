using System.Diagnostics;
using L4Balancer.Bench.Peers;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Bench.Load;

/// <summary>Sends an opening on each connection of a crowd, and waits until each has come back.</summary>
internal static unsafe class Introduction
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <returns>What is wrong; null if all have come back.</returns>
    public static string? Run(Crowd crowd, Opening opening)
    {
        crowd.Watch(Libc.EPOLLIN | Libc.EPOLLRDHUP);
        var received = new byte[crowd.Count][];
        var lengths = new int[crowd.Count];
        byte* buffer = stackalloc byte[Opening.Longest];
        for (int i = 0; i < crowd.Count; i++)
        {
            received[i] = new byte[Opening.Longest];
            int length = opening.Write(i, new Span<byte>(buffer, Opening.Longest));
            SysResult sent = TcpSocket.Send(crowd[i], buffer, length);
            if (sent.IsError || sent.Value != length)
            {
                return $"send: {sent}";
            }
        }

        long start = Stopwatch.GetTimestamp();
        for (int missing = crowd.Count; missing > 0;)
        {
            int events = crowd.Poll.Wait(100);
            for (int e = 0; e < events; e++)
            {
                int i = (int)crowd.Poll.Data(e);
                SysResult read = TcpSocket.Receive(crowd[i], buffer, Opening.Longest - lengths[i]);
                if (read.IsError || read.Value == 0)
                {
                    return $"the opening of connection {i + 1} has no answer: {read}";
                }

                new Span<byte>(buffer, read.Value).CopyTo(received[i].AsSpan(lengths[i]));
                lengths[i] += read.Value;
                bool? whole = opening.TryRead(i, received[i].AsSpan(0, lengths[i]), out int length);
                if (whole == false || (whole == true && length != lengths[i]))
                {
                    return $"the opening of connection {i + 1} has come back as something else";
                }

                missing -= whole == true ? 1 : 0;
            }

            if (Stopwatch.GetElapsedTime(start) > Patience)
            {
                return $"{missing} openings have not come back";
            }
        }

        return null;
    }
}
