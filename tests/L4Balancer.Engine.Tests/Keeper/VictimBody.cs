using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using L4Balancer.Engine.Keeper;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Tests.Keeper;

/// <summary>
/// A process with a keeper that is about to be killed, by way of Program.cs. It obeys lines of standard input: <c>accept</c> answers the descriptor and
/// the cookie of a connection, <c>reuse N</c> closes that descriptor and opens another socket under its number, <c>pipe</c> answers both ends of a pipe
/// that holds "in the pipe", and its inode, <c>stop</c> ends it in good order.
/// </summary>
[SupportedOSPlatform("linux")]
internal static class VictimBody
{
    /// <summary>Bytes that the process uses before it has a keeper.</summary>
    public const int MemoryBefore = 32 << 20;

    public static async Task RunAsync(string library, string path, string milliseconds)
    {
        KeeperCode.Use(library);
        TimeSpan timeout = TimeSpan.FromMilliseconds(int.Parse(milliseconds, CultureInfo.InvariantCulture));

        // Memory that the keeper has no use for, in pages that exist.
        byte[] used = GC.AllocateUninitializedArray<byte>(MemoryBefore);
        Array.Fill(used, (byte)1);
        KeeperProcess keeper = KeeperProcess.TryStart(path, timeout, out string? fault) ?? throw new InvalidOperationException(fault);

        // Everything below is opened after the keeper was made, and is in its table all the same.
        var listening = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listening.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listening.Listen(64);
        var open = new List<Socket>();
        await AnswerAsync($"{keeper.Id} {((IPEndPoint)listening.LocalEndPoint!).Port} {listening.Handle}");
        while (await Console.In.ReadLineAsync() is { } line)
        {
            switch (line.Split(' '))
            {
                case ["accept"]:
                    open.Add(await listening.AcceptAsync());
                    await AnswerAsync($"{open[^1].Handle} {SocketCookie.Of((int)open[^1].Handle)}");
                    break;
                case ["reuse", string number]:
                    Socket old = open.Single(s => s.Handle.ToString(CultureInfo.InvariantCulture) == number);
                    await AnswerAsync(Reuse(old, open));
                    break;
                case ["pipe"]:
                    await AnswerAsync(NewPipe());
                    break;
                case ["stop"]:
                    keeper.Stop();
                    await AnswerAsync("stopped");
                    return;
                default:
                    throw new ArgumentException(line);
            }
        }
    }

    // Opens sockets until one has the number, which the kernel gives out as the lowest that is free.
    private static string Reuse(Socket old, List<Socket> open)
    {
        nint number = old.Handle;
        old.Dispose();
        do
        {
            open.Add(new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        }
        while (open[^1].Handle != number && open.Count < 1000);
        return open[^1].Handle == number ? "reused" : "not reused";
    }

    private static unsafe string NewPipe()
    {
        if (!KernelPipe.TryOpen(65_536, 4096, out KernelPipe pipe))
        {
            return "no pipe";
        }

        fixed (byte* text = "in the pipe"u8)
        {
            _ = Libc.write(pipe.WriteEnd, text, 11);
        }

        return $"{pipe.ReadEnd} {pipe.WriteEnd} {SocketCookie.OfPipe(pipe.ReadEnd)}";
    }

    private static async Task AnswerAsync(string line)
    {
        await Console.Out.WriteLineAsync(line);
        await Console.Out.FlushAsync();
    }
}
