using System.Net;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Connections;
using L4Balancer.Engine.Sockets;

namespace L4Balancer.Engine.Tests.Sockets;

/// <summary>That a port range runs out at connect, and not before, is shown in a namespace of its own (Ports).</summary>
public sealed class SourceBindingTests
{
    [TestCase("192.0.2.7")]
    [TestCase("2001:db8::7")]
    public void An_address_of_another_host_is_unusable(string text)
    {
        var source = HostAddress.From(IPAddress.Parse(text));
        using Socket socket = Open(source);
        Assert.That(SourceBinding.Bind(socket, source), Is.EqualTo(ConnectFailure.SourceUnusable));
    }

    [TestCase("127.0.0.2")]
    [TestCase("::1")]
    public void A_bound_socket_has_its_address_and_no_port_yet(string text)
    {
        var source = HostAddress.From(IPAddress.Parse(text));
        using Socket socket = Open(source);
        Assert.That(SourceBinding.Bind(socket, source), Is.Null);
        Assert.That(Endpoint.From((IPEndPoint)socket.LocalEndPoint!), Is.EqualTo(new Endpoint(source, 0)));
    }

    [TestCase(SocketError.AddressNotAvailable, ConnectFailure.NoFreePort)]
    [TestCase(SocketError.ConnectionRefused, ConnectFailure.Refused)]
    [TestCase(SocketError.HostUnreachable, ConnectFailure.Unreachable)]
    [TestCase(SocketError.NetworkUnreachable, ConnectFailure.Unreachable)]
    [TestCase(SocketError.TimedOut, ConnectFailure.TimedOut)]
    [TestCase(SocketError.TooManyOpenSockets, ConnectFailure.LocalShortage)]
    [TestCase(SocketError.NoBufferSpaceAvailable, ConnectFailure.LocalShortage)]
    [TestCase(SocketError.AccessDenied, ConnectFailure.NotPermitted)]
    public void An_error_of_connect_says_who_is_at_fault(SocketError error, ConnectFailure expected) =>
        Assert.That(ConnectErrors.OfConnect(error), Is.EqualTo(expected));

    [TestCase(SocketError.AddressFamilyNotSupported, ConnectFailure.NoSuchFamily)]
    [TestCase(SocketError.TooManyOpenSockets, ConnectFailure.LocalShortage)]
    [TestCase(SocketError.InvalidArgument, ConnectFailure.LocalShortage)]
    public void An_error_before_connect_is_never_the_fault_of_the_backend(SocketError error, ConnectFailure expected) =>
        Assert.That(ConnectErrors.OfSocket(error), Is.EqualTo(expected));

    private static Socket Open(HostAddress source)
    {
        if (!source.IsV4 && !Socket.OSSupportsIPv6)
        {
            Assert.Ignore("This host has no IPv6.");
        }

        return new Socket(source.IsV4 ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp);
    }
}
