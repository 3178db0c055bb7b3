using System.Net;
using System.Net.Sockets;
using System.Text;

namespace L4Balancer.Tests.Fronting;

/// <summary>packaging/examples/cloud: a front that speaks PROXY version 2 and asks for <c>/readyz</c> from another host.</summary>
[Platform("Linux")]
[Parallelizable(ParallelScope.All)]
internal sealed class CloudTests
{
    private static readonly IPEndPoint Service = IPEndPoint.Parse("10.0.0.11:8443");

    // Version 2, PROXY, TCP over IPv4 (section 2.2 of the specification): 203.0.113.7:51234 to 198.51.100.1:443.
    private static readonly byte[] Header =
        [.. "\r\n\r\n\0\r\nQUIT\n"u8, 0x21, 0x11, 0, 12, 203, 0, 113, 7, 198, 51, 100, 1, 51234 >> 8, 51234 & 0xFF, 443 >> 8, 443 & 0xFF];

    [Test]
    public async Task Backends_see_the_client_of_the_front_and_the_front_sees_a_drain()
    {
        await using VirtualNetwork network = await VirtualNetwork.StartAsync(["curl"]);
        VirtualHost backends = await network.AddHostAsync("backends", "10.0.1.21/24", "10.0.1.22/24");
        VirtualHost front = await network.AddHostAsync("front", "10.0.0.2/24");
        VirtualHost host = await network.AddHostAsync("lb1", "10.0.0.11/24", "10.0.1.11/24");
        FrontBalancer balancer = network.Own(new FrontBalancer(host, "10.0.1.11", FrontBalancer.FileOf("cloud")));
        using Socket listener = await ListenAsync(backends);
        await balancer.StartAsync();

        using Socket client = await front.NewSocketAsync(AddressFamily.InterNetwork);
        using var deadline = new CancellationTokenSource(DaemonProcess.Deadline);
        await client.ConnectAsync(Service, deadline.Token);
        await client.SendAsync(Header.Concat("hello"u8.ToArray()).ToArray(), deadline.Token);
        byte[] got = await ReceiveAsync(listener, deadline.Token);
        Assert.That(got[..14], Is.EqualTo(Header[..14]), "version 2, and the family");
        Assert.That(got[16..28], Is.EqualTo(Header[16..28]), "both addresses");

        Assert.That(await ReadyAsync(front, "-H 'Host: lb.example.com'"), Is.EqualTo("200"));
        Assert.That(await ReadyAsync(front, ""), Is.EqualTo("200"));
        Assert.That(await ReadyAsync(front, "-H 'Host: other.example.com'"), Is.Not.EqualTo("200"));
        balancer.Daemon.Signal(DaemonProcess.SIGTERM);
        await balancer.Daemon.LineWithAsync("still accepting connections for 40s");
        Assert.That(await ReadyAsync(front, ""), Is.EqualTo("503"));
        using Socket late = await front.NewSocketAsync(AddressFamily.InterNetwork);
        await late.ConnectAsync(Service, deadline.Token);
        await late.SendAsync(Header.Concat("late"u8.ToArray()).ToArray(), deadline.Token);
        Assert.That(Encoding.ASCII.GetString(await ReceiveAsync(listener, deadline.Token)), Does.EndWith("late"), "served while it drains");
    }

    private static Task<string> ReadyAsync(VirtualHost front, string options) =>
        front.ShellAsync($"curl -s -o /dev/null -w '%{{http_code}}' {options} http://10.0.0.11:9180/readyz");

    private static async Task<Socket> ListenAsync(VirtualHost host)
    {
        Socket listener = await host.NewSocketAsync(AddressFamily.InterNetwork);
        listener.Bind(new IPEndPoint(IPAddress.Any, 8443));
        listener.Listen(16);
        return listener;
    }

    // Up to the last letters of what the client sends; probes of this pool connect and send nothing.
    private static async Task<byte[]> ReceiveAsync(Socket listener, CancellationToken cancel)
    {
        while (true)
        {
            using Socket socket = await listener.AcceptAsync(cancel);
            var received = new List<byte>();
            var chunk = new byte[512];
            try
            {
                while (await socket.ReceiveAsync(chunk, cancel) is > 0 and int count)
                {
                    received.AddRange(chunk[..count]);
                    if (received.Count > 28 && char.IsAsciiLetterLower((char)received[^1]) && char.IsAsciiLetterLower((char)received[^3]))
                    {
                        return [.. received];
                    }
                }
            }
            catch (SocketException)
            {
                // A probe ends with a reset.
            }
        }
    }
}
