using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;

namespace L4Balancer.Discovery;

/// <summary>How a store with a protocol of its own over TCP is reached: with TLS where the configuration names certificates, and as which user.</summary>
internal static class StoreConnection
{
    private const int LongestPassword = 4096;

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

    /// <summary>The content of <c>password_file</c> without the end of its line. It is read at each connect: a new password needs no reload.</summary>
    /// <exception cref="Exception">One of <see cref="StoreFault.IsExpected"/>.</exception>
    public static async Task<string> ReadPasswordAsync(DiscoverySettings settings, CancellationToken cancel)
    {
        await using var file = new FileStream(settings.PasswordFile, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, 1, useAsync: true);
        var all = new byte[LongestPassword + 1];
        int count = await file.ReadAtLeastAsync(all, all.Length, throwOnEndOfStream: false, cancel);
        return count <= LongestPassword
            ? Encoding.UTF8.GetString(all, 0, count).TrimEnd('\r', '\n')
            : throw new StoreFault($"{Quoted.Text(settings.PasswordFile)} is longer than a password: {LongestPassword} bytes");
    }

    private static bool HasTls(DiscoverySettings settings) => settings.CaFile.Length > 0 || settings.CertFile.Length > 0;

    private static async Task AuthenticateAsync(SslStream tls, string host, DiscoverySettings settings, CancellationToken cancel)
    {
        var policy = new X509ChainPolicy { RevocationMode = X509RevocationMode.NoCheck, DisableCertificateDownloads = true };
        if (settings.CaCertificates.Length > 0)
        {
            policy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            policy.CustomTrustStore.ImportFromPem(settings.CaCertificates);
        }

        // Read at each connect, so that a renewed certificate is shown without a reload.
        using X509Certificate2? own = settings.CertFile.Length > 0 ? X509Certificate2.CreateFromPemFile(settings.CertFile, settings.KeyFile) : null;
        await tls.AuthenticateAsClientAsync(
            new SslClientAuthenticationOptions
            {
                TargetHost = host,
                CertificateChainPolicy = policy,
                ClientCertificates = own is null ? null : [own],
            },
            cancel);
    }
}
