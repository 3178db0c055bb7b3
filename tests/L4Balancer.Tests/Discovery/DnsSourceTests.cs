using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Discovery;
using L4Balancer.Discovery;

namespace L4Balancer.Tests.Discovery;

/// <summary>The source <c>dns</c> against a real name server, and against one that answers rubbish.</summary>
[CancelAfter(120_000)]
[Parallelizable(ParallelScope.All)]
internal sealed class DnsSourceTests
{
    private const string Two = """
        _ws._tcp.chat IN SRV 10 20 8443 a
        _ws._tcp.chat IN SRV 20 1 8444 b
        a IN A 192.0.2.1
        a IN AAAA 2001:db8::1
        b IN A 192.0.2.2
        """;

    [Test]
    public async Task Records_are_added_reweighed_and_removed()
    {
        await using NameServer server = await NameServer.StartAsync(Two);
        await using var watch = new SourceLog(new DnsSource(NameServer.Service, [server.Address], TimeSpan.FromSeconds(30), TimeProvider.System));
        await watch.UntilAsync("192.0.2.1:8443*20 192.0.2.2:8444*1b [2001:db8::1]:8443*20");

        await server.WriteAsync(Two + "\n_ws._tcp.chat IN SRV 10 40000 8445 c\nc IN A 192.0.2.3");
        await watch.UntilAsync("192.0.2.1:8443*1 192.0.2.2:8444*1b 192.0.2.3:8445*1000 [2001:db8::1]:8443*1");

        await server.WriteAsync("_ws._tcp.chat IN SRV 0 0 8444 b\nb IN A 192.0.2.2");
        await watch.UntilAsync("192.0.2.2:8444*100");
        Assert.That(watch.Faults, Is.Empty);
    }

    [Test]
    public async Task Each_address_of_a_name_is_a_backend_behind_an_alias_too()
    {
        await using NameServer server = await NameServer.StartAsync("chat IN CNAME www\nwww IN A 192.0.2.1\nwww IN A 192.0.2.9\nwww IN AAAA 2001:db8::1\n");
        await using var watch = new SourceLog(new DnsSource("Chat.svc.test:443", [server.Address], TimeSpan.FromSeconds(30), TimeProvider.System));

        await watch.UntilAsync("192.0.2.1:443*100 192.0.2.9:443*100 [2001:db8::1]:443*100");
    }

    [Test]
    public async Task An_alias_that_expires_before_its_addresses_is_asked_for_again()
    {
        await using NameServer server = await NameServer.StartAsync("chat 1 IN CNAME www\nwww 3600 IN A 192.0.2.1\nwww 3600 IN AAAA 2001:db8::1\n");
        await using var watch = new SourceLog(new DnsSource("chat.svc.test:443", [server.Address], TimeSpan.FromMinutes(10), TimeProvider.System));
        await watch.UntilAsync("192.0.2.1:443*100 [2001:db8::1]:443*100");

        await server.WriteAsync("chat 1 IN CNAME web\nweb 3600 IN A 192.0.2.2\nweb 3600 IN AAAA 2001:db8::2\n");
        await watch.UntilAsync("192.0.2.2:443*100 [2001:db8::2]:443*100");
    }

    [TestCase("other IN A 192.0.2.1", TestName = "A_name_that_does_not_exist_is_an_empty_set")]
    [TestCase("chat IN TXT nothing\n_ws._tcp.chat IN TXT nothing", TestName = "A_name_without_such_records_is_an_empty_set")]
    public async Task No_records_are_an_empty_set(string records)
    {
        await using NameServer server = await NameServer.StartAsync(records);
        await using var services = new SourceLog(new DnsSource(NameServer.Service, [server.Address], TimeSpan.FromSeconds(30), TimeProvider.System));
        await using var host = new SourceLog(new DnsSource("chat.svc.test:443", [server.Address], TimeSpan.FromSeconds(30), TimeProvider.System));

        await services.UntilAsync("");
        await host.UntilAsync("");
    }

    /// <summary>named refuses a zone with more than 100 records of one name (max-records-per-type).</summary>
    private const int Many = 95;

    [Test]
    public async Task An_answer_that_is_too_large_for_a_datagram_comes_by_TCP()
    {
        await using NameServer server = await NameServer.StartAsync(
            string.Concat(Enumerable.Range(1, Many).Select(i => $"_ws._tcp.chat IN SRV 0 1 80 a-target-with-a-rather-long-name-{i}\na-target-with-a-rather-long-name-{i} IN A 192.0.2.{i}\n")));
        await using var watch = new SourceLog(new DnsSource(NameServer.Service, [server.Address], TimeSpan.FromSeconds(30), TimeProvider.System));

        await watch.UntilAsync(string.Join(' ', Enumerable.Range(1, Many).Select(i => $"192.0.2.{i}:80*1").Order(StringComparer.Ordinal)));
        List<int[]> kept = [PortsTo(server)];
        for (int i = 0; i < 3; i++)
        {
            await watch.AnotherAsync();
            kept.Add(PortsTo(server));
        }

        // Beside the one in use may be one that the server has closed.
        Assert.That(kept.Max(static ports => ports.Length), Is.LessThan(kept.Count), "not one connection for each reading");
        Assert.That(kept.Zip(kept.Skip(1)).Any(static pair => pair.First.Intersect(pair.Second).Any()), "it is used again");
    }

    // The local ports of the connections that are open.
    private static int[] PortsTo(NameServer server)
    {
        TcpState[] open = [TcpState.Established, TcpState.CloseWait];
        return
        [
            .. IPGlobalProperties.GetIPGlobalProperties().GetActiveTcpConnections()
                .Where(c => c.RemoteEndPoint.Port == server.Address.Port && open.Contains(c.State)).Select(static c => c.LocalEndPoint.Port),
        ];
    }

    [Test]
    public async Task A_server_that_is_stopped_or_gone_makes_it_unknown_until_it_is_back()
    {
        await using NameServer server = await NameServer.StartAsync(Two);
        await using var watch = new SourceLog(new DnsSource("a.svc.test:80", [server.Address], TimeSpan.FromSeconds(2), TimeProvider.System));
        await watch.UntilAsync("192.0.2.1:80*100 [2001:db8::1]:80*100");

        server.Kill("STOP");
        await watch.FaultAsync(1, "no name server answers");
        server.Kill("CONT");
        await watch.AnotherAsync();
        await server.StopAsync();
        await watch.FaultAsync(watch.Faults.Count + 1, "");
        await server.StartAsync();
        await watch.AnotherAsync();

        Assert.That(watch.Sets.Distinct(), Has.Exactly(1).Items, "whatever happened, no other set was seen");
    }

    [TestCase(2, "Server Failure")]
    [TestCase(5, "Refused")]
    [TestCase(-1, "")]
    public async Task A_failure_a_refusal_and_rubbish_are_unknown(int code, string why)
    {
        using var server = new RubbishServer(code);
        await using var watch = new SourceLog(new DnsSource("chat.svc.test:443", [server.Address], TimeSpan.FromSeconds(2), TimeProvider.System));

        await watch.FaultAsync(1, why);
        Assert.That(watch.Sets, Is.Empty);
    }

    [Test]
    public async Task One_look_up_that_fails_among_many_without_an_answer_is_told_at_once()
    {
        using var server = new SlowServer();
        var since = System.Diagnostics.Stopwatch.StartNew();
        await using var watch = new SourceLog(new DnsSource("_ws._tcp.chat.test", [server.Address], TimeSpan.FromSeconds(60), TimeProvider.System));
        await watch.FaultAsync(1, "Server Failure");

        // Eighty look-ups, sixteen at a time, would need 20 s.
        Assert.That(since.Elapsed, Is.LessThan(TimeSpan.FromSeconds(15)));
        Assert.That(watch.Sets, Is.Empty);
    }

    /// <summary>It has forty services, knows nothing of the first one's host, and does not answer for those of the others.</summary>
    private sealed class SlowServer : IDisposable
    {
        private readonly UdpClient _socket = new(new IPEndPoint(IPAddress.Loopback, 0));

        public SlowServer() => _ = AnswerAsync();

        public Endpoint Address => Endpoint.From((IPEndPoint)_socket.Client.LocalEndPoint!);

        public void Dispose() => _socket.Dispose();

        private async Task AnswerAsync()
        {
            try
            {
                while (true)
                {
                    UdpReceiveResult asked = await _socket.ReceiveAsync();
                    if (Answer(asked.Buffer) is { } answer)
                    {
                        await _socket.SendAsync(answer, asked.RemoteEndPoint);
                    }
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // Disposed of.
            }
        }

        // RFC 1035, 4.1: a header of 12 bytes, the question (its name begins with the length of the first label), the answers.
        private static byte[]? Answer(byte[] asked)
        {
            int end = Array.IndexOf(asked, (byte)0, 12) + 5;
            byte[] question = asked[12..end];
            string first = System.Text.Encoding.ASCII.GetString(asked, 13, asked[12]);
            if (first != "_ws")
            {
                return first == "t0" ? [.. asked[..2], 0x81, 0x82, 0, 1, 0, 0, 0, 0, 0, 0, .. question] : null;
            }

            // A pointer to the name of the question, SRV, IN, 60 s, the length, priority, weight, port and target.
            IEnumerable<byte> services = Enumerable.Range(0, 40).SelectMany(static i =>
            {
                byte[] label = System.Text.Encoding.ASCII.GetBytes($"t{i}");
                return (byte[])[0xC0, 12, 0, 33, 0, 1, 0, 0, 0, 60, 0, (byte)(6 + label.Length + 7), 0, 1, 0, 1, 0, 80, (byte)label.Length, .. label, 4, .. "test"u8, 0];
            });
            return [.. asked[..2], 0x85, 0x80, 0, 1, 0, 40, 0, 0, 0, 0, .. question, .. services];
        }
    }

    /// <summary>Answers every question with an error, or with bytes that are none.</summary>
    private sealed class RubbishServer : IDisposable
    {
        private readonly UdpClient _socket = new(new IPEndPoint(IPAddress.Loopback, 0));

        public RubbishServer(int code) => _ = AnswerAsync(code);

        public Endpoint Address => Endpoint.From((IPEndPoint)_socket.Client.LocalEndPoint!);

        public void Dispose() => _socket.Dispose();

        private async Task AnswerAsync(int code)
        {
            try
            {
                while (true)
                {
                    UdpReceiveResult asked = await _socket.ReceiveAsync();
                    byte[] answer = asked.Buffer;
                    if (code < 0)
                    {
                        // The id and counts that promise more than there is.
                        answer = [answer[0], answer[1], 0x81, 0x80, 0, 1, 0, 9, 0, 0, 0, 0, 0xFF, 0xC0];
                    }
                    else
                    {
                        (answer[2], answer[3]) = (0x81, (byte)(0x80 | code));
                    }

                    await _socket.SendAsync(answer, asked.RemoteEndPoint);
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // Disposed of.
            }
        }
    }
}
