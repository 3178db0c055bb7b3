using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Tests.Contract;

namespace L4Balancer.Engine.Tests.Linux;

/// <summary>struct sockaddr_in and sockaddr_in6, byte for byte as ip(7) and ipv6(7) lay them out.</summary>
internal sealed class SocketAddressTests
{
    [TestCase("127.0.0.1:443", 16u, "0200" + "01BB" + "7F000001")]
    [TestCase("0.0.0.0:0", 16u, "0200" + "0000" + "00000000")]
    [TestCase("255.255.255.254:65535", 16u, "0200" + "FFFF" + "FFFFFFFE")]
    [TestCase("[2001:db8::1]:8443", 28u, "0A00" + "20FB" + "00000000" + "20010DB8000000000000000000000001" + "00000000")]
    [TestCase("[::]:1", 28u, "0A00" + "0001" + "00000000" + "00000000000000000000000000000000" + "00000000")]
    public unsafe void It_is_laid_out_as_the_kernel_reads_it_and_comes_back(string text, uint length, string bytes)
    {
        Endpoint endpoint = Settings.Endpoint(text);
        Assert.That(SocketAddress.Write(endpoint, out SocketAddress address), Is.EqualTo(length));

        Assert.That(sizeof(SocketAddress), Is.EqualTo(28));
        Assert.That(Convert.ToHexString(new ReadOnlySpan<byte>(&address, bytes.Length / 2)), Is.EqualTo(bytes));
        Assert.That(SocketAddress.Read(ref address), Is.EqualTo(endpoint));
    }

    [TestCase("127.0.0.1:0")]
    [TestCase("[::1]:0")]
    public void The_kernel_gives_back_what_it_was_given(string text)
    {
        Endpoint endpoint = Settings.Endpoint(text);
        int socket = TcpSocket.Open(endpoint.Address).Value;
        try
        {
            Assert.That(TcpSocket.Bind(socket, endpoint).IsError, Is.False);
            Endpoint bound = TcpSocket.LocalEndpoint(socket);
            Assert.That(bound.Address, Is.EqualTo(endpoint.Address));
            Assert.That(bound.Port, Is.Not.Zero);
        }
        finally
        {
            TcpSocket.Close(socket);
        }
    }
}
