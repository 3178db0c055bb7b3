using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Ledger;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Listening;
using L4Balancer.Engine.Sockets;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Web;

/// <summary>A descriptor of this process, and what it is for.</summary>
internal readonly record struct NamedDescriptor(string Name, int Descriptor);

/// <summary>
/// The listening sockets of the control plane: of admin API, metrics, endpoint API and DNS. Each is bound here, or was left by another process,
/// which has handed it over or has failed; and they can be handed over again. Any thread.
/// </summary>
/// <param name="left">What another process left; each is taken for its purpose and address, or closed by <see cref="CloseRest"/>.</param>
internal sealed class ControlSockets(IReadOnlyList<NamedDescriptor> left, ILogger log) : IDisposable
{
    public const string Admin = "admin";
    public const string AdminTcp = "admin-tcp";
    public const string Metrics = "metrics";
    public const string EndpointApi = "endpoint";
    public const string DnsUdp = "dns-udp-";
    public const string DnsTcp = "dns-tcp-";

    /// <summary>In a ledger their names begin with it, as the name of no listener does.</summary>
    public const char LedgerMark = '@';

    private readonly Lock _gate = new();
    private readonly List<NamedDescriptor> _left = [.. left];
    private readonly List<NamedDescriptor> _open = [];
    private readonly List<IDisposable> _owned = [];
    private ConnectionLedger? _ledger;

    /// <summary>
    /// Whether another process has them too, and serves on them or is about to. While that is so, the end of this one changes nothing of the
    /// sockets, nor of the file of a UNIX socket. To be set before they are sent or taken, and cleared when the other process is gone.
    /// </summary>
    public bool AreShared { get; set; }

    /// <summary>Those that are open now, for a hand-over.</summary>
    public IReadOnlyList<NamedDescriptor> All
    {
        get
        {
            lock (_gate)
            {
                return [.. _open];
            }
        }
    }

    /// <summary>Writes them into a ledger, those that follow too, so that they outlive this process. Null: no longer.</summary>
    public void Note(ConnectionLedger? ledger)
    {
        lock (_gate)
        {
            _ledger = ledger;
            _open.ForEach(Note);
        }
    }

    /// <summary>Takes the TCP socket that was left for an address, or binds it.</summary>
    /// <param name="bothFamilies">Whether <c>[::]</c> is bound for IPv4 too.</param>
    /// <exception cref="SocketException">The address cannot be bound.</exception>
    public ControlSocket Tcp(string name, Endpoint listen, bool bothFamilies = true)
    {
        if (OperatingSystem.IsLinux() && Take(name, d => Fits(BoundSocket.Tcp(d), listen)) is { } taken)
        {
            return Open(name, new Socket(new SafeSocketHandle(taken, ownsHandle: true)));
        }

        IPEndPoint endpoint = listen.ToIPEndPoint();
        var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (endpoint.AddressFamily == AddressFamily.InterNetworkV6)
            {
                socket.DualMode = bothFamilies && endpoint.Address.Equals(IPAddress.IPv6Any);
            }

            socket.Bind(endpoint);
            return Open(name, socket);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Takes the UNIX socket that was left for a path, if clients still reach it by that path.</summary>
    public ControlSocket? TakeUnix(string name, string path) =>
        OperatingSystem.IsLinux() && SocketFile.LeadsToTheOnlyListener(path) && Take(name, d => BoundSocket.UnixPath(d) == path) is { } taken
            ? Open(name, new Socket(new SafeSocketHandle(taken, ownsHandle: true))) : null;

    /// <summary>A UNIX socket that was bound here.</summary>
    public ControlSocket AddUnix(string name, Socket bound) => Open(name, bound);

    /// <summary>Takes the UDP socket that was left for an address, or binds it. It is closed by <see cref="Close"/>.</summary>
    /// <exception cref="System.ComponentModel.Win32Exception">The address cannot be bound.</exception>
    [SupportedOSPlatform("linux")]
    public DatagramSocket Udp(string name, Endpoint listen, TimeSpan patience)
    {
        DatagramSocket socket = Take(name, d => Fits(BoundSocket.Udp(d), listen)) is { } taken
            ? DatagramSocket.Adopt(taken, patience) : DatagramSocket.Bind(listen, patience);
        Open(new NamedDescriptor(name, socket.Descriptor), socket);
        return socket;
    }

    /// <summary>Closes a UDP socket; its file and queue are another process's if that has it.</summary>
    [SupportedOSPlatform("linux")]
    public void Close(DatagramSocket socket)
    {
        Forget(socket.Descriptor, socket);
        socket.Dispose();
    }

    /// <summary>Closes what was left and is of no use, after all servers have started.</summary>
    public void CloseRest()
    {
        NamedDescriptor[] rest;
        lock (_gate)
        {
            rest = [.. _left];
            _left.Clear();
        }

        foreach ((string name, int descriptor) in rest)
        {
            log.ControlSocketForNothing(name);
            BoundSocket.Close(descriptor);
        }
    }

    /// <summary>Closes all that are still open.</summary>
    public void Dispose()
    {
        CloseRest();
        IDisposable[] owned;
        lock (_gate)
        {
            owned = [.. _owned];
        }

        Array.ForEach(owned, static o => o.Dispose());
        lock (_gate)
        {
            _open.Clear();
            _owned.Clear();
        }
    }

    // Port 0 leaves the choice to the kernel, which has made it.
    private static bool Fits(Endpoint? bound, Endpoint listen) =>
        bound is { } address && address.Address == listen.Address && (listen.Port == 0 || address.Port == listen.Port);

    // First the one of the same name, then one that served something else: only one socket can have an address, and which server answers is known
    // to nobody who waits in its queue.
    private int? Take(string name, Predicate<int> fits)
    {
        lock (_gate)
        {
            int place = _left.FindIndex(l => l.Name == name && fits(l.Descriptor));
            place = place < 0 ? _left.FindIndex(l => fits(l.Descriptor)) : place;
            if (place < 0)
            {
                return null;
            }

            NamedDescriptor taken = _left[place];
            _left.RemoveAt(place);
            log.ControlSocketTaken(name);
            return taken.Descriptor;
        }
    }

    private ControlSocket Open(string name, Socket socket)
    {
        var opened = new ControlSocket(name, socket, this);
        Open(new NamedDescriptor(name, opened.Descriptor), opened);
        return opened;
    }

    private void Open(NamedDescriptor descriptor, IDisposable owned)
    {
        lock (_gate)
        {
            _open.Add(descriptor);
            _owned.Add(owned);
            Note(descriptor);
        }
    }

    /// <summary>To be called before the descriptor is closed, whose number may come back at once.</summary>
    internal void Forget(int descriptor, IDisposable owned)
    {
        lock (_gate)
        {
            _ledger?.RemoveListening(descriptor);
            _open.RemoveAll(o => o.Descriptor == descriptor);
            _owned.Remove(owned);
        }
    }

    // Under the lock.
    private void Note(NamedDescriptor descriptor) => _ledger?.AddListening(descriptor.Descriptor, LedgerMark + descriptor.Name);
}
