using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace L4Balancer.Bench.Control;

/// <summary>
/// Everybody who keeps a control plane busy, in a process of its own: a scraper, a page that lists connections, and the backends
/// that are only there to be probed.
/// </summary>
internal static class Operators
{
    /// <summary>Runs until it is killed.</summary>
    public static int Run(ushort metrics, ushort admin)
    {
        ProbedBackends.AcceptAndClose();
        var listing = new Thread(() => Ask(admin, "/v1/connections?limit=5000&sort=bytes", TimeSpan.FromSeconds(1))) { IsBackground = true };
        listing.Start();
        Ask(metrics, "/metrics", TimeSpan.FromMilliseconds(100));
        return 0;
    }

    // One connection, kept open; a raw socket and one buffer, because this process shares its processor with the client that measures.
    private static void Ask(ushort port, string path, TimeSpan every)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        socket.Connect(new IPEndPoint(IPAddress.Loopback, port));
        byte[] request = Encoding.ASCII.GetBytes(
            string.Create(CultureInfo.InvariantCulture, $"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"));
        byte[] buffer = new byte[1 << 16];
        for (long next = Stopwatch.GetTimestamp(); ; next += (long)(every.TotalSeconds * Stopwatch.Frequency))
        {
            TimeSpan left = Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), next);
            if (left > TimeSpan.Zero)
            {
                Thread.Sleep(left);
            }

            socket.Send(request);
            ReadAnswer(socket, buffer);
        }
    }

    // An answer in chunks ends with an empty one (RFC 9112, 7.1), one of known length with its last byte.
    private static void ReadAnswer(Socket socket, byte[] buffer)
    {
        ReadOnlySpan<byte> end = "0\r\n\r\n"u8;
        long length = -1;
        long got = 0;
        while (true)
        {
            int count = socket.Receive(buffer);
            ReadOnlySpan<byte> part = buffer.AsSpan(0, count);
            if (count == 0 || (got == 0 && !part.StartsWith("HTTP/1.1 200"u8)))
            {
                throw new InvalidOperationException("the daemon does not answer: " + Encoding.ASCII.GetString(part));
            }

            if (got == 0)
            {
                length = LengthOf(part);
            }

            got += count;
            if (length >= 0 ? got >= length : part.EndsWith(end))
            {
                return;
            }
        }
    }

    /// <returns>Head and body together; -1 for chunks.</returns>
    private static long LengthOf(ReadOnlySpan<byte> first)
    {
        int head = first.IndexOf("\r\n\r\n"u8) + 4;
        string text = Encoding.ASCII.GetString(first[..head]);
        const string name = "\r\nContent-Length: ";
        int at = text.IndexOf(name, StringComparison.OrdinalIgnoreCase);
        return at < 0
            ? -1
            : head + long.Parse(text.AsSpan(at + name.Length, text.IndexOf('\r', at + name.Length) - at - name.Length), CultureInfo.InvariantCulture);
    }
}
