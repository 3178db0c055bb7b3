using System.Runtime.Versioning;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Ledger;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Keeper;

/// <summary>
/// A daemon that has ended without a stop in good order: its keeper has its descriptors, and its ledger says what they are. Whatever is in
/// the ledger, only what the kernel confirms is believed. The order is: <see cref="TakeListening"/>, <see cref="Connections"/>,
/// <see cref="ResetUnnamed"/>, <see cref="End"/>. One thread at a time.
/// </summary>
[SupportedOSPlatform("linux")]
public sealed class Predecessor : IDisposable
{
    /// <summary>How long the keeper may take for an answer. It has nothing else to do, but the machine may be busy.</summary>
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(3);

    private readonly KeeperFolder _folder;
    private readonly LedgerReading _reading;
    private readonly LedgerMarks _marks;
    private readonly HashSet<ulong> _named = [];
    private readonly HashSet<int> _numbers = [];
    private KeeperConnection? _keeper;
    private bool _isGone;

    private Predecessor(KeeperFolder folder, LedgerWriter daemon, KeeperConnection keeper, LedgerReading reading)
    {
        _folder = folder;
        Daemon = daemon;
        _keeper = keeper;
        Keeper = keeper.Keeper;
        _reading = reading;
        _marks = new LedgerMarks(folder.LedgerOf(daemon));
        foreach (LedgerConnection left in reading.Connections)
        {
            _named.Add(left.Entry.ClientCookie);
            _named.Add(left.Entry.BackendCookie);
        }

        foreach (LedgerPipeEnds pipe in reading.Pipes)
        {
            _numbers.Add(pipe.ReadEnd);
            _numbers.Add(pipe.WriteEnd);
        }
    }

    public LedgerWriter Daemon { get; }

    /// <summary>The process id of its keeper.</summary>
    public int Keeper { get; }

    /// <summary>Why nothing of its ledger can be used; none if it can.</summary>
    public LedgerFault Fault => _reading.Fault;

    /// <summary>Of its ledger; 0 without one.</summary>
    public ulong Generation => _reading.Generation;

    /// <summary>Every connection that it has had has a lower id; 0: not known.</summary>
    public ulong NextId => _reading.NextId;

    /// <summary>What operators had set.</summary>
    public IReadOnlyList<(LedgerBackendName Backend, BackendOverride Value)> Overrides => _reading.Overrides;

    /// <summary>Seeds of the hashes of sticky keys, by pool.</summary>
    public IReadOnlyList<LedgerSeeds> StickySeeds => _reading.Seeds;

    /// <summary>Connections in its ledger, those included that cannot be adopted.</summary>
    public int ConnectionCount => _reading.Connections.Count;

    /// <summary>The listeners, pools and backends of its connections.</summary>
    public IEnumerable<(string Listener, string Pool, string Backend)> Names => _reading.Connections
        .Where(static c => c.Listener is not null && c.Backend is not null)
        .Select(static c => (c.Listener!, c.Backend!.Pool, c.Backend.Name))
        .Distinct();

    /// <summary>The cookies of the sockets of its connections.</summary>
    public IReadOnlySet<ulong> Cookies => _named;

    /// <summary>The highest generation of the ledgers in a folder; 0: there is none.</summary>
    public static ulong NewestGeneration(KeeperFolder folder) =>
        folder.Daemons().Select(d => Read(folder.LedgerOf(d)).Generation).DefaultIfEmpty().Max();

    /// <summary>For how long the keeper of a daemon waits; zero: not known.</summary>
    internal static TimeSpan TimeoutIn(string folder, LedgerWriter daemon) =>
        KeeperFolder.TryOpen(folder) is { } opened ? Read(opened.LedgerOf(daemon)).KeeperTimeout : TimeSpan.Zero;

    /// <param name="daemon">One that has ended (<see cref="LedgerWriter.IsRunning"/>).</param>
    /// <param name="fault">
    /// Why it cannot be taken over although its keeper lives, as text for a log; null if there is nothing to take over.
    /// </param>
    /// <returns>Null if its keeper has ended, whose files are removed then, or does not answer.</returns>
    public static Predecessor? TryOpen(KeeperFolder folder, LedgerWriter daemon, out string? fault)
    {
        string path = folder.SocketOf(daemon);
        KeeperConnection? keeper = KeeperConnection.TryConnect(path, AnswerLimit, out fault);
        if (keeper is not null)
        {
            return new Predecessor(folder, daemon, keeper, Read(folder.LedgerOf(daemon)));
        }

        if (fault!.EndsWith($": {Errno.ENOENT}", StringComparison.Ordinal)
            || fault.EndsWith($": {Errno.ECONNREFUSED}", StringComparison.Ordinal))
        {
            folder.Remove(daemon);
            fault = null;
        }

        return null;
    }

    /// <summary>
    /// Its listening sockets, with the names of their listeners and their addresses. The descriptors are the caller's. Without a ledger
    /// that can be used all that listen are taken, without names.
    /// </summary>
    /// <param name="known">Cookies of sockets that the caller has; those of the sockets taken are added.</param>
    /// <param name="isOfControl">By the name in the ledger: it need not be a socket that listens, as one for UDP does not.</param>
    /// <param name="fault">Why some are missing; null if none is.</param>
    public IReadOnlyList<(int Descriptor, string Listener, Endpoint Bound)> TakeListening(
        ISet<ulong> known, Predicate<string> isOfControl, out string? fault)
    {
        LedgerSocket[] sockets = Fault == LedgerFault.None ? [.. _reading.Listening]
            : [.. UnnamedSockets.NumbersOf(Keeper, _numbers).Select(static n => new LedgerSocket(n, 0, ""))];
        var here = new int[sockets.Length];
        fault = Fetch([.. sockets.Select(static s => s.Descriptor)], here);
        List<(int, string, Endpoint)> taken = [];
        for (int i = 0; i < sockets.Length; i++)
        {
            if (here[i] < 0)
            {
                continue;
            }

            ulong cookie = SocketCookie.Of(here[i]);
            if ((sockets[i].Cookie == 0 || sockets[i].Cookie == cookie)
                && ((SocketReset.IsStream(here[i]) && SocketReset.IsListening(here[i])) || isOfControl(sockets[i].Listener))
                && known.Add(cookie))
            {
                taken.Add((here[i], sockets[i].Listener, AddressOf(here[i])));
            }
            else
            {
                TcpSocket.Close(here[i]);
            }
        }

        return taken;
    }

    /// <summary>
    /// Its connections in batches, with their descriptors. Those that the ledger or the kernel calls in doubt are not reset yet. After each
    /// batch <see cref="NoteTaken"/> is to be called.
    /// </summary>
    /// <param name="isElsewhere">By the cookie of a socket: this process, or a later ledger, has the connection.</param>
    /// <param name="most">How many connections the next batch may have, at most 42: each has up to six descriptors.</param>
    public IEnumerable<IReadOnlyList<LeftConnection>> Connections(Predicate<ulong> isElsewhere, Func<int> most)
    {
        var left = new Queue<LedgerConnection>(
            _reading.Connections.Where(c => !isElsewhere(c.Entry.ClientCookie) && !isElsewhere(c.Entry.BackendCookie)));
        while (left.Count > 0)
        {
            List<LedgerConnection> batch = [];
            for (int count = Math.Clamp(most(), 1, LeftBatch.Most); count > 0 && left.TryDequeue(out LedgerConnection? next); count--)
            {
                batch.Add(next);
            }

            IReadOnlyList<LeftConnection> fetched = LeftBatch.Fetch(batch, Fetch);
            NoteNumbers(fetched);
            yield return fetched;
        }
    }

    /// <summary>
    /// The connections of a batch are adopted or reset: should this process end now, its own heir finds them in its ledger alone, and none
    /// that is over already is found again.
    /// </summary>
    public void NoteTaken(IEnumerable<LeftConnection> batch)
    {
        foreach (LeftConnection connection in batch)
        {
            _marks.Free(connection.Entry.Offset);
        }
    }

    /// <summary>
    /// Resets the connections that are in no ledger: those that were accepted or connecting at that instant, and those whose entry was
    /// freed already. Probes and requests of the daemon itself are among them.
    /// </summary>
    /// <param name="isElsewhere">As of <see cref="Connections"/>.</param>
    /// <returns>How many of them clients had made to one of the ports that it listened on.</returns>
    /// <param name="isOfControl">By the name of a listening socket: who has connected to it is not a client.</param>
    /// <param name="take">Given the cookie and the descriptor of each: true if the caller has it from then on, and it is not reset.</param>
    public int ResetUnnamed(Predicate<ulong> isElsewhere, Predicate<string> isOfControl, Func<ulong, int, bool> take)
    {
        HashSet<ulong> control = [.. _reading.Listening.Where(s => isOfControl(s.Listener)).Select(static s => s.Cookie)];
        return UnnamedSockets.Reset(
            Keeper, _numbers, cookie => _named.Contains(cookie) || isElsewhere(cookie), control.Contains, take, Fetch);
    }

    /// <summary>Ends the keeper, and with it whatever was not fetched; removes the files.</summary>
    /// <returns>False if the keeper does not answer: the files stay.</returns>
    public bool End()
    {
        if (!Ensure() || !_keeper!.TryEnd())
        {
            return false;
        }

        _folder.Remove(Daemon);
        return true;
    }

    public void Dispose()
    {
        _keeper?.Dispose();
        _keeper = null;
        _marks.Dispose();
    }

    // A number that is not what the ledger says may be one that no ledger names.
    private void NoteNumbers(IReadOnlyList<LeftConnection> fetched)
    {
        foreach (LeftConnection connection in fetched)
        {
            if (connection.Client >= 0)
            {
                _numbers.Add(connection.Entry.Entry.Client);
            }

            if (connection.Backend >= 0)
            {
                _numbers.Add(connection.Entry.Entry.Backend);
            }
        }
    }

    private static Endpoint AddressOf(int socket) =>
        SocketReset.IsTcp(socket) ? TcpSocket.LocalEndpoint(socket)
        : UnixSocket.PathOf(socket) is { Length: > 0 } path ? Endpoint.OfUnix(path) : default;

    private static LedgerReading Read(string path)
    {
        using SharedFile? file = SharedFile.OpenExisting(path, out _);
        return file is null ? new LedgerReading { Fault = LedgerFault.TooShort } : LedgerReader.Read(file.Bytes, LedgerWriter.Current());
    }

    // The keeper closes the connection of one that asks for nothing where another one comes, which may be gone by now.
    private string? Fetch(ReadOnlySpan<int> numbers, Span<int> here)
    {
        string? fault = FetchOnce(numbers, here, out bool isClosed);
        if (!isClosed)
        {
            return fault;
        }

        foreach (int descriptor in here)
        {
            if (descriptor >= 0)
            {
                TcpSocket.Close(descriptor);
            }
        }

        return FetchOnce(numbers, here, out _);
    }

    // After an error the connection is of no more use, so the next request has another one.
    private string? FetchOnce(ReadOnlySpan<int> numbers, Span<int> here, out bool isClosed)
    {
        isClosed = false;
        here.Fill(-1);
        if (!Ensure())
        {
            return "the keeper has ended, or does not answer";
        }

        string? fault = _keeper!.Fetch(numbers, here);
        if (fault is not null)
        {
            isClosed = _keeper.IsClosedByKeeper;
            _keeper.Dispose();
            _keeper = null;
        }

        return fault;
    }

    private bool Ensure()
    {
        if (_keeper is null && !_isGone)
        {
            _keeper = KeeperConnection.TryConnect(_folder.SocketOf(Daemon), AnswerLimit, out _);
            _isGone = _keeper is null;
        }

        return _keeper is not null;
    }
}

/// <summary>Fetches descriptors of a keeper by number; see <see cref="KeeperConnection.Fetch"/>.</summary>
internal delegate string? FetchDescriptors(ReadOnlySpan<int> numbers, Span<int> here);
