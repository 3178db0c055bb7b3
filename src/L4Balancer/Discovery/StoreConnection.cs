using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Stores;

namespace L4Balancer.Discovery;

/// <summary>How a store with a protocol of its own over TCP is reached: with TLS where the configuration names certificates, and as which user.</summary>
internal static class StoreConnection
{
    /// <summary>Connects, and with <c>ca_file</c> or <c>cert_file</c> negotiates TLS.</summary>
    /// <param name="server">An IP address or a host name, with a port.</param>
    /// <param name="cancel">Also the limit of time.</param>
    /// <exception cref="Exception">One of <see cref="StoreFault.IsExpected"/>.</exception>
    public static async Task<Stream> OpenAsync(string server, DiscoverySettings settings, CancellationToken cancel)
    {
        EndPoint target = Endpoint.TryParse(server, out Endpoint endpoint) ? endpoint.ToIPEndPoint()
            : HostName.TryParse(server, out HostName name) ? new DnsEndPoint(name.Host.TrimEnd('.'), name.Port)
            : throw new StoreFault($"{Quoted.Text(server)} is not an address with a port");
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        Stream? stream = null;
        try
        {
            await socket.ConnectAsync(target, cancel);
            stream = new NetworkStream(socket, ownsSocket: true);
            if (!HasTls(settings))
            {
                return stream;
            }

            var tls = new SslStream(stream);
            stream = tls;
            await AuthenticateAsync(tls, target is DnsEndPoint dns ? dns.Host : ((IPEndPoint)target).Address.ToString(), settings, cancel);
            return tls;
        }
        catch
        {
            // The stream may be in the middle of a handshake; closing the socket below it never blocks.
            socket.Dispose();
            stream?.Dispose();
            throw;
        }
    }

    /// <summary>The content of <c>password_file</c>, which is read at each connect: a new password needs no reload.</summary>
    /// <exception cref="StoreFault">It cannot be read.</exception>
    public static string ReadPassword(DiscoverySettings settings)
    {
        StoreResult<string> password = SecretFile.Read(settings.PasswordFile);
        return password.IsOk ? password.Value : throw new StoreFault(password.Fault);
    }

    private static bool HasTls(DiscoverySettings settings) => settings.CaFile.Length > 0 || settings.CertFile.Length > 0;

    private static async Task AuthenticateAsync(SslStream tls, string host, DiscoverySettings settings, CancellationToken cancel)
    {
        // Read at each connect, so that a renewed certificate is shown without a reload.
        StoreResult<StoreTls> read = StoreTls.Read(DiscoveryAccess.Of(settings), before: null);
        using StoreTls certificates = read.Value ?? throw new StoreFault(read.Fault!);
        SslClientAuthenticationOptions options = certificates.ToOptions();
        options.TargetHost = host;
        await tls.AuthenticateAsClientAsync(options, cancel);
    }
}
