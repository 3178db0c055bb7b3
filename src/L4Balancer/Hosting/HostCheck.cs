using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using L4Balancer.Admin;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Engine;
using L4Balancer.Engine.Packets;
using L4Balancer.Engine.Sockets;
using L4Balancer.Packets;
using L4Balancer.Platform;
using L4Balancer.Resolving;
using L4Balancer.Web;

namespace L4Balancer.Hosting;

/// <summary>
/// Finds out what <c>run</c> would refuse or warn of on this host, for <c>check --host</c>. It binds every address for a moment and listens on none: a
/// daemon that is running holds its own ports, which are then reported as in use.
/// </summary>
internal static class HostCheck
{
    private const int MostNames = 1_000;

    private static readonly TimeSpan LookUpsWithin = TimeSpan.FromSeconds(4);

    /// <returns>What <c>run</c> would refuse, one line each.</returns>
    public static IEnumerable<string> Errors(BalancerConfig config)
    {
        ImmutableArray<string> lacking = PlatformNeeds.Missing(config);
        string? noRoom = DescriptorBudget.Raise(out long limit) == 0 ? DescriptorBudget.For(config, limit).WhyNot() : null;
        return
        [
            .. lacking,
            .. noRoom is null ? [] : (string[])[noRoom],
            .. config.Listeners.Where(static l => l.Mode == ListenerMode.Relay).SelectMany(static l => l.Bind, static (l, e) => Unbindable(l, e)).OfType<string>(),
            .. Unforwardable(config),
            .. Servers(config).Select(static s => Unbindable(s.Table, s.Listen, s.Protocol)).OfType<string>(),
        ];
    }

    /// <returns>What <c>run</c> would warn of, one line each.</returns>
    public static async Task<IReadOnlyList<string>> WarningsAsync(BalancerConfig config)
    {
        List<string> warnings = [];
        if (LocalPorts.Warning(config) is string ports)
        {
            warnings.Add(ports);
        }

        if (config.Admin.Socket.Length > 0
            && LocalSocket.ForDaemon(config.Admin.Socket, Environment.IsPrivilegedProcess, Environment.GetEnvironmentVariable) is string socket
            && AdminSocket.WhyNot(socket) is string fault)
        {
            warnings.Add($"socket {socket}: {fault}. The daemon would start without it");
        }

        warnings.AddRange(BufferLimits.Warnings(config));
        warnings.AddRange(SourceAddresses.NotHere(config).Select(static s =>
            $"source address {s.Address} (pool {s.Pool}): this host does not have it; add it (ip addr shows all)"));
        warnings.AddRange(await NamesAsync(config));
        return warnings;
    }

    private static IEnumerable<(string Table, Endpoint Listen, ProtocolType Protocol)> Servers(BalancerConfig config) =>
    [
        .. config.Metrics is { } metrics ? [("[metrics]", metrics.Listen, ProtocolType.Tcp)] : Array.Empty<(string, Endpoint, ProtocolType)>(),
        .. config.Endpoint is { } endpoint ? [("[endpoint]", endpoint.Listen, ProtocolType.Tcp)] : Array.Empty<(string, Endpoint, ProtocolType)>(),
        .. config.Admin.Listen is { } admin ? [("[admin]", admin, ProtocolType.Tcp)] : Array.Empty<(string, Endpoint, ProtocolType)>(),
        .. (config.Dns?.Listen ?? []).SelectMany(static e => new[] { ("[dns]", e, ProtocolType.Tcp), ("[dns]", e, ProtocolType.Udp) }),
    ];

    private static IEnumerable<string> Unforwardable(BalancerConfig config)
    {
        ListenerSettings[] packets = [.. config.Listeners.Where(static l => l.Mode == ListenerMode.Packet)];
        IEnumerable<string> lacking = packets.Length == 0 ? []
            : !OperatingSystem.IsLinux() ? ["needs Linux; leave it out"]
            : PacketPlane.WhyNot(PacketFolder.For(config, null, Environment.GetEnvironmentVariable));
        return lacking.Select(static l => $"mode = \"packet\": {l}").Concat(packets
            .Where(static l => OperatingSystem.IsLinux() && !Directory.Exists($"/sys/class/net/{l.Interface}"))
            .Select(static l => $"interface {l.Interface} (listener {l.Name}): this host does not have it; add it (ip link shows all), or change `interface`"));
    }

    private static string? Unbindable(ListenerSettings listener, Endpoint endpoint)
    {
        if (endpoint.IsUnix)
        {
            return UnixFault(endpoint.UnixPath) is { } unix ? ListenFailure.From(listener.Name, endpoint, unix).Message : null;
        }

        SocketException? fault = TryBind(endpoint, ProtocolType.Tcp);
        return fault is null || (listener.Freebind && fault.SocketErrorCode == SocketError.AddressNotAvailable) ? null
            : ListenFailure.From(listener.Name, endpoint, fault.SocketErrorCode).Message;
    }

    private static SocketError? UnixFault(string path)
    {
        string folder = Path.GetDirectoryName(path) ?? "/";
        return !Directory.Exists(folder) ? SocketError.AddressNotAvailable : SocketFile.Look(path) switch
        {
            SocketFileState.InUse => SocketError.AddressAlreadyInUse,
            SocketFileState.NotSocket => SocketError.NotSocket,
            SocketFileState.NotPermitted => SocketError.AccessDenied,
            _ => LocalSocket.CanBeMadeIn(folder) ? null : SocketError.AccessDenied,
        };
    }

    private static string? Unbindable(string table, Endpoint listen, ProtocolType protocol) => TryBind(listen, protocol) is { } fault
        ? new ListenException(table, listen, fault, protocol == ProtocolType.Udp ? "ss -lunp shows it" : "ss -ltnp shows it").Message : null;

    private static SocketException? TryBind(Endpoint endpoint, ProtocolType protocol)
    {
        try
        {
            IPAddress address = endpoint.Address.ToIPAddress();
            using var socket = new Socket(address.AddressFamily, protocol == ProtocolType.Udp ? SocketType.Dgram : SocketType.Stream, protocol);
            if (address.AddressFamily == AddressFamily.InterNetworkV6)
            {
                socket.DualMode = false;
            }

            // As the daemon does: a port in TIME_WAIT is free.
            if (protocol == ProtocolType.Tcp)
            {
                socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
            }

            socket.Bind(new IPEndPoint(address, endpoint.Port));
            return null;
        }
        catch (SocketException e)
        {
            return e;
        }
    }

    private static async Task<IEnumerable<string>> NamesAsync(BalancerConfig config)
    {
        (string Backend, string Host)[] names =
        [
            .. config.Pools.SelectMany(static p => p.Backends, static (p, b) => (Backend: $"{p.Name}/{b.Name}", b.Host))
                .Where(static b => b.Host is not null).Select(static b => (b.Backend, b.Host!.Value.Host)).DistinctBy(static b => b.Host).Take(MostNames),
        ];
        Task<LookUp>[] lookUps = [.. names.Select(static n => Task.Run(() => LookUp.OfSystem(n.Host)))];
        await Task.WhenAny(Task.WhenAll(lookUps), Task.Delay(LookUpsWithin));
        return names.Zip(lookUps, static (name, lookUp) =>
            !lookUp.IsCompletedSuccessfully ? $"{name.Backend}: the name {name.Host} is not resolved within {Duration.Format(LookUpsWithin)}"
            : lookUp.Result.Fault.Length > 0 ? $"{name.Backend}: the name {name.Host} does not resolve: {lookUp.Result.Fault}"
            : null).OfType<string>();
    }
}
