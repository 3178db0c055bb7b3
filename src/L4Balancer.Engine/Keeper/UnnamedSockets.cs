using System.Globalization;
using System.Runtime.Versioning;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Keeper;

/// <summary>The sockets that a keeper has and no ledger names.</summary>
[SupportedOSPlatform("linux")]
internal static class UnnamedSockets
{
    /// <summary>The kernel gives the lowest free number, so beyond those in the ledger there are few.</summary>
    private const int Beyond = 1024;

    /// <summary>Resets those that are connections.</summary>
    /// <param name="named">Numbers that the ledger has: they are not fetched again.</param>
    /// <param name="isNamed">By cookie: not to be touched.</param>
    /// <param name="isControl">By the cookie of one that listens: its connections are none of clients.</param>
    /// <param name="take">Given the cookie and the descriptor of each: true if the callee has it from then on, so that it is not reset.</param>
    /// <returns>How many of those that were reset clients had made.</returns>
    public static int Reset(
        int keeper, IReadOnlySet<int> named, Predicate<ulong> isNamed, Predicate<ulong> isControl, Func<ulong, int, bool> take,
        FetchDescriptors fetch)
    {
        HashSet<Endpoint> ports = [];
        HashSet<string> paths = [];
        List<(Endpoint Local, string Path)> ended = [];
        foreach (int[] numbers in NumbersOf(keeper, named).Chunk(PacketSocket.MostDescriptors))
        {
            var here = new int[numbers.Length];
            if (fetch(numbers, here) is not null)
            {
                break;
            }

            foreach (int descriptor in here.Where(static d => d >= 0))
            {
                Endpoint local = TcpSocket.LocalEndpoint(descriptor);
                string path = local.IsUnix ? UnixSocket.PathOf(descriptor) : "";
                if (!SocketReset.IsStream(descriptor) || isNamed(SocketCookie.Of(descriptor)))
                {
                    TcpSocket.Close(descriptor);
                }
                else if (SocketReset.IsListening(descriptor))
                {
                    if (!isControl(SocketCookie.Of(descriptor)))
                    {
                        ports.Add(new Endpoint(default, local.Port));
                        paths.Add(path);
                    }

                    TcpSocket.Close(descriptor);
                }
                else if (!take(SocketCookie.Of(descriptor), descriptor) && SocketReset.Now(descriptor))
                {
                    ended.Add((local, path));
                }
            }
        }

        return ended.Count(e => e.Local.IsUnix ? e.Path.Length > 0 && paths.Contains(e.Path) : ports.Contains(new Endpoint(default, e.Local.Port)));
    }

    /// <summary>
    /// The numbers that a keeper has open, but for standard input, output and error. /proc says so, if this process may ask (proc(5), ptrace access mode);
    /// otherwise they are all numbers that may be.
    /// </summary>
    /// <param name="named">Left out.</param>
    public static IEnumerable<int> NumbersOf(int process, IReadOnlySet<int> named)
    {
        string folder = string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/fd");
        IEnumerable<int> open;
        try
        {
            open = [.. Directory.GetFileSystemEntries(folder).Select(static path => int.Parse(Path.GetFileName(path), CultureInfo.InvariantCulture))];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            open = Enumerable.Range(3, named.Count == 0 ? Beyond : named.Max() + Beyond);
        }

        return open.Where(n => n > 2 && !named.Contains(n));
    }
}
