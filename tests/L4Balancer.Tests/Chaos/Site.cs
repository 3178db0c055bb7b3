using System.Net;
using System.Net.Sockets;

namespace L4Balancer.Tests.Chaos;

/// <summary>
/// Addresses and files of one run. All addresses are on loopback (127.0.0.0/8): those of the balancer and the backends follow from this
/// process, so that two runs do not meet, and every client has an address of its own, by which its line in the access log is found.
/// </summary>
internal sealed class Site : IDisposable
{
    public const string Main = "main";

    /// <summary>A listener that is not in every configuration.</summary>
    public const string Extra = "extra";

    public const string Token = "a-token-of-the-chaos-test-0123456789";

    private const int Port = 7001;

    /// <summary>The clients have 127.128.0.0 to 127.253.255.255.</summary>
    private const int FirstClient = 128;
    private const ulong Clients = 126 * 65536;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("l4b-chaos-");

    public Site() => File.WriteAllText(TokenFile, Token + "\n");

    /// <summary>Listeners that refuse: all clients (<c>deny</c>), more than a few, and those before a pool that does not answer.</summary>
    public static IReadOnlyList<string> Refusing { get; } = ["denied", "limited", "dead", "silent"];

    public string SocketPath => Path.Combine(_folder.FullName, "admin.sock");

    public string TokenFile => Path.Combine(_folder.FullName, "token");

    public string ConfigPath => Path.Combine(_folder.FullName, "balancer.toml");

    public static IPEndPoint Admin { get; } = At(1, Port);

    public static IPEndPoint Metrics { get; } = At(2, Port);

    /// <summary>Nothing listens there.</summary>
    public static IPEndPoint Dead { get; } = At(3, Port);

    /// <summary>An address that is not one of this host (RFC 5737): it cannot be bound.</summary>
    public static IPEndPoint Foreign { get; } = new(IPAddress.Parse("192.0.2.77"), Port);

    public static IPEndPoint ListenerAt(string name) => At(10 + ListenerNames.IndexOf(name), Port);

    /// <summary>Ports of the listener's address after its own.</summary>
    public static string RangeAt(string name, int first, int last) => $"{ListenerAt(name).Address}:{Port + first}-{Port + last}";

    /// <param name="place">0 for the first.</param>
    public static IPEndPoint BackendAt(int place) => At(30 + place, Port);

    /// <summary>An address of this host that the balancer may connect from.</summary>
    public static IPAddress SourceAt(int place) => Address(60 + place);

    public static IPAddress ClientOf(ulong number)
    {
        uint place = (uint)(number % Clients);
        return new IPAddress([127, (byte)(FirstClient + (place >> 16)), (byte)(place >> 8), (byte)place]);
    }

    /// <returns>The client's number modulo the number of addresses; null if it is no client of a run.</returns>
    public static ulong? PlaceOf(IPAddress client)
    {
        byte[] bytes = client.GetAddressBytes();
        return bytes is [127, >= FirstClient and <= 253, _, _]
            ? (ulong)(((bytes[1] - FirstClient) << 16) | (bytes[2] << 8) | bytes[3]) : null;
    }

    public static ulong PlaceOf(ulong number) => number % Clients;

    public void Dispose() => _folder.Delete(recursive: true);

    private static List<string> ListenerNames { get; } = [Main, Extra, .. Refusing];

    private static IPEndPoint At(int place, int port) => new(Address(place), port);

    private static IPAddress Address(int place) =>
        new([127, (byte)(16 + ((Environment.ProcessId >> 8) & 63)), (byte)Environment.ProcessId, (byte)(1 + place)]);

    /// <summary>A TCP socket of IPv4.</summary>
    public static Socket NewSocket() => new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
}
