using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Linux;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Engine.Packets;

/// <summary>
/// Follows the MAC addresses of neighbours by what the kernel finds out about them (rtnetlink(7), RTM_NEWNEIGH), and makes the kernel ask for them, as no
/// packet of its own does. Everything but the thread's waiting happens under one lock, which callers hold.
/// </summary>
[SupportedOSPlatform("linux")]
internal sealed unsafe class NeighbourWatch : IDisposable
{
    /// <summary>Bytes of struct ndmsg.</summary>
    private const int Body = 12;

    private const uint Groups = Libc.RTMGRP_LINK | Libc.RTMGRP_NEIGH | Libc.RTMGRP_IPV4_ROUTE | Libc.RTMGRP_IPV6_ROUTE;

    /// <summary>How often an address that is not known is asked for at first: the kernel itself asks once a second, three times.</summary>
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(1);

    /// <summary>For how long.</summary>
    private static readonly TimeSpan First = TimeSpan.FromSeconds(30);

    /// <summary>After this an address that is not known is reported.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(4);

    private readonly Lock _gate;
    private readonly PacketPlaneOptions _options;
    private readonly ILogger _logger;
    private readonly NetlinkSocket _requests;
    private readonly NetlinkSocket _notices;
    private readonly WakeUp _wakeUp = new();
    private readonly Thread _thread;
    private readonly Dictionary<(int Interface, HostAddress Address), Neighbour> _wanted = [];
    private long _lookDue;
    private bool _routesChanged;
    private bool _stops;

    private NeighbourWatch(Lock gate, PacketPlaneOptions options, ILogger logger, NetlinkSocket requests, NetlinkSocket notices)
    {
        _gate = gate;
        _options = options;
        _logger = logger;
        _requests = requests;
        _notices = notices;
        _thread = new Thread(Run) { IsBackground = true, Name = "l4b-neighbours" };
    }

    /// <summary>Is called under the lock when the address of a neighbour is found, or has changed.</summary>
    public Action<int, HostAddress, ulong>? Found { get; set; }

    /// <summary>Is called under the lock when a route has come or gone.</summary>
    public Action? RoutesChanged { get; set; }

    /// <summary>Is called under the lock once an address has not been found for some seconds.</summary>
    public Action<int, HostAddress>? Missed { get; set; }

    /// <summary>Is called under the lock when something about an interface has changed: false says that it has gone.</summary>
    public Action<InterfaceFacts, bool>? InterfaceChanged { get; set; }

    /// <summary>Is called under the lock once in a while, and when notices were lost: interfaces are to be looked at anew.</summary>
    public Action? LookDue { get; set; }

    /// <param name="gate">The lock of the plane.</param>
    /// <exception cref="PacketFaultException">The process may not open netlink sockets.</exception>
    public static NeighbourWatch Create(Lock gate, PacketPlaneOptions options, ILogger logger)
    {
        NetlinkSocket? requests = NetlinkSocket.TryOpen(0, out Errno fault);
        NetlinkSocket? notices = requests is null ? null : NetlinkSocket.TryOpen(Groups, out fault);
        if (notices is null)
        {
            requests?.Dispose();
            throw new PacketFaultException(
                $"netlink socket: {fault}. Packet listeners need AF_NETLINK in RestrictAddressFamilies= of the unit, as {KernelNeeds.DropIn} has it");
        }

        return new NeighbourWatch(gate, options, logger, requests!, notices);
    }

    /// <summary>For requests of others that hold the lock.</summary>
    public NetlinkSocket Requests => _requests;

    public void Start() => _thread.Start();

    /// <summary>Begins to follow an address, or finds it followed already.</summary>
    /// <returns>Its MAC address; 0 while it is not known.</returns>
    public ulong Want(int interfaceIndex, HostAddress address)
    {
        if (_wanted.TryGetValue((interfaceIndex, address), out Neighbour? neighbour))
        {
            return neighbour.Mac;
        }

        neighbour = new Neighbour();
        _wanted.Add((interfaceIndex, address), neighbour);
        ReadKnown(interfaceIndex, address);
        AskFor(interfaceIndex, address, neighbour, Environment.TickCount64);
        _wakeUp.Signal();
        return neighbour.Mac;
    }

    /// <summary>Follows no address but these.</summary>
    public void KeepOnly(IReadOnlySet<(int Interface, HostAddress Address)> wanted)
    {
        foreach ((int Interface, HostAddress Address) other in _wanted.Keys.Where(k => !wanted.Contains(k)).ToArray())
        {
            _wanted.Remove(other);
        }
    }

    /// <summary>0: it is not known, or not followed.</summary>
    public ulong MacOf(int interfaceIndex, HostAddress address) =>
        _wanted.TryGetValue((interfaceIndex, address), out Neighbour? neighbour) ? neighbour.Mac : 0;

    /// <summary>Ends the thread; call it without the lock.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _stops = true;
        }

        _wakeUp.Signal();
        if (_thread.IsAlive)
        {
            _thread.Join();
        }

        _requests.Dispose();
        _notices.Dispose();
        _wakeUp.Dispose();
    }

    private void Run()
    {
        while (true)
        {
            Wait();
            lock (_gate)
            {
                if (_stops)
                {
                    return;
                }

                try
                {
                    Step();
                }
                catch (Exception e)
                {
                    _logger.NeighboursFailed(e);
                }
            }
        }
    }

    private void Step()
    {
        _wakeUp.Clear();
        if (_notices.ReadAll(Take) != Errno.None)
        {
            // Some were lost: everything is read anew.
            foreach ((int index, HostAddress address) in _wanted.Keys.ToArray())
            {
                ReadKnown(index, address);
            }

            _lookDue = 0;
        }

        if (_routesChanged)
        {
            _routesChanged = false;
            RoutesChanged?.Invoke();
        }

        long now = Environment.TickCount64;
        if (now >= _lookDue)
        {
            _lookDue = now + (long)_options.NeighbourInterval.TotalMilliseconds;
            LookDue?.Invoke();
        }

        foreach ((var key, Neighbour neighbour) in _wanted.ToArray())
        {
            if (now >= neighbour.Due)
            {
                AskFor(key.Interface, key.Address, neighbour, now);
            }

            if (neighbour is { Mac: 0, IsReported: false } && now - neighbour.Since >= Grace.TotalMilliseconds)
            {
                neighbour.IsReported = true;
                Missed?.Invoke(key.Interface, key.Address);
            }
        }
    }

    private void Wait()
    {
        Libc.PollFd* both = stackalloc Libc.PollFd[2];
        both[0] = new Libc.PollFd { fd = _notices.Descriptor, events = Libc.POLLIN };
        both[1] = new Libc.PollFd { fd = _wakeUp.Descriptor, events = Libc.POLLIN };
        long wait;
        lock (_gate)
        {
            long now = Environment.TickCount64;
            wait = Math.Max(0, _wanted.Values.Select(n => n.Due).Append(_lookDue).Min() - now);
        }

        _ = Libc.poll(both, 2, (int)Math.Min(wait, int.MaxValue));
    }

    private void Take(in NetlinkMessage message)
    {
        switch (message.Type)
        {
            case Libc.RTM_NEWNEIGH:
                TakeNeighbour(message);
                break;
            case Libc.RTM_NEWLINK or Libc.RTM_DELLINK when InterfaceFacts.IsOfInterface(message):
                InterfaceChanged?.Invoke(InterfaceFacts.Parse(message), message.Type == Libc.RTM_NEWLINK);
                break;
            case Libc.RTM_NEWROUTE or Libc.RTM_DELROUTE:
                _routesChanged = true;
                break;
        }
    }

    // What is known of an address stays known until another MAC address is: whether the backend lives is for its probes to say.
    private void TakeNeighbour(in NetlinkMessage message)
    {
        if (message.Body.Length < Body)
        {
            return;
        }

        ReadOnlySpan<byte> attributes = message.Body[Body..];
        ReadOnlySpan<byte> address = NetlinkMessage.Find(attributes, Libc.NDA_DST);
        ulong mac = InterfaceFacts.MacOf(NetlinkMessage.Find(attributes, Libc.NDA_LLADDR));
        ushort state = MemoryMarshal.Read<ushort>(message.Body[8..]);
        if (mac == 0 || (state & (Libc.NUD_INCOMPLETE | Libc.NUD_FAILED)) != 0 || address.Length is not (4 or 16))
        {
            return;
        }

        int index = MemoryMarshal.Read<int>(message.Body[4..]);
        HostAddress host = HostAddress.From(new System.Net.IPAddress(address));
        if (_wanted.TryGetValue((index, host), out Neighbour? neighbour) && neighbour.Mac != mac)
        {
            neighbour.Mac = mac;
            neighbour.IsReported = false;
            Found?.Invoke(index, host, mac);
        }
    }

    private void ReadKnown(int interfaceIndex, HostAddress address)
    {
        byte[] body = BodyOf(interfaceIndex, address, 0);
        _ = _requests.Ask(new NetlinkRequest(Libc.RTM_GETNEIGH, 0, body).With(Libc.NDA_DST, BytesOf(address)), TakeNeighbour);
    }

    // NTF_USE is what the kernel does when it has a packet for the neighbour: it asks for an unknown address, and checks one that it has not heard from.
    private void AskFor(int interfaceIndex, HostAddress address, Neighbour neighbour, long now)
    {
        bool soon = neighbour.Mac == 0 && now - neighbour.Since < First.TotalMilliseconds && Soon < _options.NeighbourInterval;
        neighbour.Due = now + (long)(soon ? Soon : _options.NeighbourInterval).TotalMilliseconds;
        byte[] body = BodyOf(interfaceIndex, address, Libc.NTF_USE);
        _ = _requests.Ask(
            new NetlinkRequest(Libc.RTM_NEWNEIGH, Libc.NLM_F_CREATE | Libc.NLM_F_ACK, body).With(Libc.NDA_DST, BytesOf(address)));
    }

    private static byte[] BodyOf(int interfaceIndex, HostAddress address, byte flags)
    {
        byte[] body = new byte[Body];
        body[0] = (byte)(address.IsV4 ? Libc.AF_INET : Libc.AF_INET6);
        MemoryMarshal.Write(body.AsSpan(4), interfaceIndex);
        body[10] = flags;
        return body;
    }

    private static byte[] BytesOf(HostAddress address) => address.ToIPAddress().GetAddressBytes();

    private sealed class Neighbour
    {
        public ulong Mac { get; set; }

        /// <summary>When it is to be asked for, in milliseconds as of <see cref="Environment.TickCount64"/>.</summary>
        public long Due { get; set; }

        public long Since { get; } = Environment.TickCount64;

        public bool IsReported { get; set; }
    }
}
