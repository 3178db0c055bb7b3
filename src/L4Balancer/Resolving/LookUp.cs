using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Resolving;

/// <summary>How one look-up of a host name ended.</summary>
/// <param name="Fault">Why it failed, in a few words; empty where it did not.</param>
internal readonly record struct LookUp(ImmutableArray<HostAddress> Addresses, string Fault)
{
    /// <summary>Asks the system, as every program of this host does: /etc/hosts, DNS, whatever nsswitch.conf(5) names. Blocks.</summary>
    public static LookUp OfSystem(string host)
    {
        try
        {
            // A link-local address is nothing without its interface, which an address of ours does not hold.
            ImmutableArray<HostAddress> addresses =
            [
                .. Dns.GetHostAddresses(host).Where(a => !a.IsIPv6LinkLocal).Select(HostAddress.From).Where(a => !a.IsAny).Distinct(),
            ];
            return addresses.IsEmpty ? new LookUp([], "it has no address") : new LookUp(addresses, "");
        }
        catch (SocketException e)
        {
            return new LookUp([], e.SocketErrorCode switch
            {
                SocketError.HostNotFound => "no such name",
                SocketError.NoData => "it has no address",
                SocketError.TryAgain => "no name server answers",
                _ => e.Message,
            });
        }
        catch (Exception e)
        {
            // Whatever the platform has against a name is said, and ends no thread.
            return new LookUp([], e.Message);
        }
    }
}
