using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Resolving;

/// <summary>The result of one look-up of a host name.</summary>
/// <param name="Fault">A short reason for a failure; empty for a success.</param>
/// <param name="IsGone">The failure is an answer: there is no such name, or it has no address. Otherwise no name server has answered.</param>
internal readonly record struct LookUp(ImmutableArray<HostAddress> Addresses, string Fault, bool IsGone = false)
{
    /// <summary>Uses the host's resolver: /etc/hosts, DNS and other sources in nsswitch.conf(5). Blocks.</summary>
    public static LookUp OfSystem(string host)
    {
        try
        {
            // A link-local address is unusable without its interface, which HostAddress does not store.
            ImmutableArray<HostAddress> addresses =
            [
                .. Dns.GetHostAddresses(host).Where(a => !a.IsIPv6LinkLocal).Select(HostAddress.From).Where(a => !a.IsAny).Distinct(),
            ];
            return addresses.IsEmpty ? new LookUp([], "it has no address", IsGone: true) : new LookUp(addresses, "");
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode switch
            {
                SocketError.HostNotFound => new LookUp([], "no such name", IsGone: true),
                SocketError.NoData => new LookUp([], "it has no address", IsGone: true),
                SocketError.TryAgain => new LookUp([], "no name server answers"),
                _ => new LookUp([], e.Message),
            };
        }
        catch (Exception e)
        {
            // Any other error of the platform becomes a result, so that it does not end the thread.
            return new LookUp([], e.Message);
        }
    }
}
