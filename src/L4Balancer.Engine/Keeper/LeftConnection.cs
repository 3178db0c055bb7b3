using L4Balancer.Core.Addressing;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Handover;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Ledger;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Keeper;

/// <summary>
/// A connection of a <see cref="Predecessor"/> with its descriptors in this process: to be adopted if it is clean, and reset otherwise. The
/// holder owns the descriptors.
/// </summary>
public sealed class LeftConnection
{
    private readonly LedgerConnection _left;

    internal LeftConnection(LedgerConnection left, int client, int backend, ExportedPipe? toBackend, ExportedPipe? toClient, LedgerDoubts doubts)
    {
        _left = left;
        Client = client;
        Backend = backend;
        PipeToBackend = toBackend;
        PipeToClient = toClient;
        Doubts = doubts;
    }

    /// <summary>Descriptor of the client's socket; -1: it was not there, or is another one by now.</summary>
    public int Client { get; private set; }

    /// <summary>As <see cref="Client"/>.</summary>
    public int Backend { get; private set; }

    public ExportedPipe? PipeToBackend { get; private set; }

    public ExportedPipe? PipeToClient { get; private set; }

    public bool ClientIsUnix => (_left.Entry.Kinds & EntryKinds.ClientIsUnix) != 0;

    /// <summary>Why it must not be adopted, by the ledger and the kernel.</summary>
    public LedgerDoubts Doubts { get; }

    public bool IsClean => Doubts == LedgerDoubts.None;

    internal LedgerConnection Entry => _left;

    /// <summary>
    /// What the ledger and the kernel know of it. Bytes relayed so far are what the kernel has counted: of a UNIX socket none, and a PROXY header on one
    /// side does not count if the other side is TCP.
    /// </summary>
    /// <returns>Null if its entry is not to be believed, so that nothing can be said of it.</returns>
    public CarriedRecord? Record(Instant now)
    {
        LedgerEntry entry = _left.Entry;
        if (_left.Listener is null || _left.Backend is null || (Doubts & LedgerDoubts.Content) != 0)
        {
            return null;
        }

        TcpFacts? client = Client < 0 ? null : TcpFacts.Of(Client);
        TcpFacts? backend = Backend < 0 ? null : TcpFacts.Of(Backend);
        var accepted = new Instant(entry.AcceptedAt);
        Instant connecting = accepted + TimeSpan.FromMicroseconds(entry.QueueTime);
        bool passedToBackend = (entry.Ends & EntryEnds.PassedToBackend) != 0;
        bool passedToClient = (entry.Ends & EntryEnds.PassedToClient) != 0;
        return new CarriedRecord
        {
            Id = entry.Id,
            Listener = _left.Listener,
            Pool = _left.Backend.Pool,
            Backend = _left.Backend.Name,
            Destination = Backend < 0 ? null : TcpSocket.PeerEndpoint(Backend),
            Route = RouteOf(entry.Route),
            Tuple = new FourTuple(SourceOf(entry), DestinationOf(entry)),
            LocalEndpoint = Backend < 0 ? default : TcpSocket.LocalEndpoint(Backend),
            AcceptedAt = accepted,
            ConnectStartedAt = connecting,
            EstablishedAt = connecting + TimeSpan.FromMicroseconds(Math.Max(1, entry.ConnectTime)),
            LastActivity = now + -Idle(client, backend),
            Attempts = Math.Max((byte)1, entry.Attempts),
            Generation = entry.Generation,
            BytesToBackend = Least(Read(client, Client, PipeToBackend), Written(backend, Backend, isConnect: true, passedToBackend)),
            BytesToClient = Least(Read(backend, Backend, PipeToClient), Written(client, Client, isConnect: false, passedToClient)),
            End = EndOf(entry.Ends),
            StickyHash = (entry.StickyHigh | entry.StickyLow) == 0 ? null : (entry.StickyHigh, entry.StickyLow),
        };
    }

    /// <summary>Resets both peers, even if the keeper still has the sockets, and closes the descriptors here.</summary>
    public void Reset()
    {
        foreach (int socket in (int[])[Client, Backend])
        {
            if (socket >= 0)
            {
                SocketReset.Now(socket);
            }
        }

        (Client, Backend) = (-1, -1);
        Close(PipeToBackend);
        Close(PipeToClient);
        (PipeToBackend, PipeToClient) = (null, null);
    }

    internal static void Close(ExportedPipe? pipe)
    {
        if (pipe is { } open)
        {
            TcpSocket.Close(open.ReadEnd);
            TcpSocket.Close(open.WriteEnd);
        }
    }

    // What the balancer has read from a socket, without what is still in a pipe. Unknown: the largest number.
    private static long Read(TcpFacts? facts, int socket, ExportedPipe? pipe) => facts is { } known
        ? (long)known.Received - (known.HasFinOfPeer ? 1 : 0) - TcpSocket.Unread(socket) - (pipe?.Held ?? 0)
        : long.MaxValue;

    // What it has written to one: acknowledged or still in the queue. A FIN counts as a byte in both.
    private static long Written(TcpFacts? facts, int socket, bool isConnect, bool finSent) => facts is { } known
        ? (long)known.Acknowledged - (isConnect ? 1 : 0) + TcpSocket.Unacknowledged(socket) - (finSent ? 1 : 0)
        : long.MaxValue;

    private static long Least(long read, long written) =>
        Math.Min(read, written) is >= 0 and < long.MaxValue and var bytes ? bytes : 0;

    private static TimeSpan Idle(TcpFacts? client, TcpFacts? backend)
    {
        TimeSpan first = client?.Idle ?? TimeSpan.MaxValue;
        TimeSpan second = backend?.Idle ?? TimeSpan.MaxValue;
        TimeSpan least = first < second ? first : second;
        return least == TimeSpan.MaxValue ? TimeSpan.Zero : least;
    }

    // FinishedSides has the same four bits.
    private static EndState EndOf(EntryEnds ends)
    {
        FinishedSides sides = (FinishedSides)(byte)ends & FinishedSides.All;
        if ((sides & (FinishedSides.PassedToBackend | FinishedSides.Backend)) == FinishedSides.PassedToBackend)
        {
            sides |= FinishedSides.FirstAtBackend;
        }

        if ((sides & (FinishedSides.Client | FinishedSides.Backend)) == FinishedSides.Backend)
        {
            sides |= FinishedSides.BackendWasFirst;
        }

        return new EndState(sides);
    }

    private static string RouteOf(ushort route) => route switch
    {
        0 => "",
        1 => "default",
        _ => (route - 1).ToString(System.Globalization.CultureInfo.InvariantCulture),
    };

    private static Endpoint SourceOf(LedgerEntry entry) => (entry.Kinds & EntryKinds.SourceIsUnix) != 0
        ? Endpoint.OfUnixClient(entry.SourcePort) : new Endpoint(AddressOf(entry.Source), entry.SourcePort);

    private static HostAddress AddressOf(LedgerEntry.AddressBytes bytes) => HostAddress.FromV6(bytes);

    private Endpoint DestinationOf(LedgerEntry entry) => (entry.Kinds & EntryKinds.DestinationIsUnix) == 0
        ? new Endpoint(AddressOf(entry.Destination), entry.DestinationPort)
        : Client >= 0 && UnixSocket.PathOf(Client) is { Length: > 0 } path ? Endpoint.OfUnix(path)
        : Endpoint.OfUnixClient(0);
}
