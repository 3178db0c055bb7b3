using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace L4Balancer.Tests.NameServer;

/// <summary>A daemon with <c>[dns]</c>, asked by the clients of other projects and by sockets.</summary>
[Category(DaemonProcess.Category)]
[CancelAfter(120_000)]
internal sealed class ZoneServerTests
{
    private ZoneScene _scene = null!;

    [OneTimeSetUp]
    public async Task Start() => _scene = await ZoneScene.StartAsync();

    [OneTimeTearDown]
    public async Task Stop()
    {
        if (_scene is not null)
        {
            await _scene.DisposeAsync();
        }
    }

    [TestCase("lb.example.com A", "NOERROR", "lb.example.com. 5 IN A 192.0.2.10")]
    [TestCase("lb.example.com AAAA", "NOERROR", "lb.example.com. 5 IN AAAA 2001:db8::10")]
    [TestCase("lb.example.com SOA", "NOERROR", "lb.example.com. 5 IN SOA ns.lb.example.com. hostmaster.lb.example.com. ")]
    [TestCase("lb.example.com NS", "NOERROR", "lb.example.com. 3600 IN NS ns.lb.example.com.", "ns.lb.example.com. 5 IN A 192.0.2.10")]
    [TestCase("lb.example.com ANY", "NOERROR", "lb.example.com. 3600 IN HINFO \"RFC8482\" \"\"")]
    [TestCase("chat.lb.example.com A", "NOERROR", "chat.lb.example.com. 5 IN A 203.0.113.1", "chat.lb.example.com. 5 IN A 203.0.113.2")]
    [TestCase("ws2.chat.lb.example.com A", "NOERROR", "ws2.chat.lb.example.com. 5 IN A 203.0.113.2")]
    [TestCase(
        "chat.lb.example.com SRV", "NOERROR", "IN SRV 0 100 8443 ws1.chat.lb.example.com.", "IN SRV 0 50 443 ws2.chat.lb.example.com.",
        "ws1.chat.lb.example.com. 5 IN A 203.0.113.1")]
    [TestCase("_wss._tcp.chat.lb.example.com SRV", "NOERROR", "_wss._tcp.chat.lb.example.com. 5 IN SRV 0 100 8443 ws1.chat.lb.example.com.")]
    [TestCase("_tcp.chat.lb.example.com A", "NOERROR", "lb.example.com. 5 IN SOA ns.lb.example.com.")]
    [TestCase("chat.lb.example.com MX", "NOERROR", "lb.example.com. 5 IN SOA ns.lb.example.com.")]
    [TestCase("nobody.lb.example.com A", "NXDOMAIN", "lb.example.com. 5 IN SOA ns.lb.example.com.")]
    [TestCase("example.org A", "REFUSED")]
    public async Task Each_kind_of_answer_is_read_by_other_clients(string question, string code, params string[] records)
    {
        foreach (string tool in (string[])["dig", "kdig", "drill"])
        {
            string[] args = question.Split(' ');
            foreach (string[] way in (string[][])[args, [tool == "drill" ? "-t" : "+tcp", .. args]])
            {
                string printed = await DnsClientTool.AskAsync(tool, _scene.Server, way);
                Assert.That(printed, Does.Contain($"status: {code}").Or.Contain($"rcode: {code}"), tool);
                Assert.That(printed, code == "REFUSED" ? Does.Not.Contain(" aa ") : Does.Match("flags: qr aa|Flags: qr aa"), tool);
                Assert.That(records.Where(r => !printed.Contains(r, StringComparison.Ordinal)), Is.Empty, $"{tool}: {printed}");
            }
        }
    }

    [TestCase("dig", "+edns=1 +noednsneg lb.example.com A", "status: BADVERS")]
    [TestCase("dig", "lb.example.com AXFR", "Transfer failed")]
    [TestCase("kdig", "lb.example.com AXFR", "REFUSED")]
    [TestCase("dig", "+opcode=UPDATE lb.example.com SOA", "status: NOTIMP")]
    [TestCase("dig", "+opcode=NOTIFY lb.example.com SOA", "status: NOTIMP")]
    [TestCase("dig", "CH TXT version.bind", "status: REFUSED")]
    [TestCase("dig", "+noedns many.lb.example.com A", "ANSWER: 8,")]
    [TestCase("dig", "+ignore many.lb.example.com SRV", "flags: qr aa tc rd; QUERY: 1, ANSWER: 8,")]
    [TestCase("dig", "many.lb.example.com SRV", "ANSWER: 20,")]
    [TestCase("kdig", "many.lb.example.com SRV", "ANSWER: 20;")]
    [TestCase("drill", "-a many.lb.example.com SRV", "ANSWER: 20,")]
    [TestCase("dig", "+bufsize=512 +ignore many.lb.example.com SRV", "flags: qr aa tc rd;")]
    [TestCase("dig", "+tcp +keepopen lb.example.com A chat.lb.example.com A many.lb.example.com A", "ANSWER: 8,")]
    [TestCase("dig", "+cookie +dnssec +nsid +subnet=198.51.100.0/24 lb.example.com A", "EDNS: version: 0, flags: do; udp: 1232")]
    public async Task Other_clients_get_what_the_protocol_asks_for(string tool, string args, string expected) =>
        Assert.That(await DnsClientTool.AskAsync(tool, _scene.Server, args.Split(' ')), Does.Contain(expected));

    [Test]
    public async Task Over_IPv6_it_answers_too() =>
        Assert.That(await DnsClientTool.AskAsync("dig", _scene.Server6, "lb.example.com", "AAAA"), Does.Contain("IN AAAA 2001:db8::10"));

    [Test]
    public async Task An_answer_comes_from_the_address_that_was_asked()
    {
        // A connected socket takes no datagram from another address: 127.0.0.1 would be what the kernel chooses.
        using UdpClient client = _scene.ClientFrom(IPAddress.Parse("127.0.0.1"), IPAddress.Parse("127.77.0.2"));
        await client.SendAsync(ZoneScene.Question("lb.example.com"));
        UdpReceiveResult answer = await client.ReceiveAsync().WaitAsync(DaemonProcess.Deadline);
        Assert.That(answer.RemoteEndPoint.Address.ToString(), Is.EqualTo("127.77.0.2"));
        Assert.That(ZoneScene.Addresses(answer.Buffer), Is.EqualTo(new[] { "192.0.2.10" }));
    }

    [Test]
    public async Task A_drained_backend_is_gone_within_a_second_and_back_when_it_is_ready()
    {
        string[] both = ["203.0.113.1", "203.0.113.2"];
        List<TimeSpan> times = [];
        for (int i = 0; i < 3; i++)
        {
            await ZoneScene.UntilAsync(async () => (await _scene.AddressesAsync("chat.lb.example.com")).SequenceEqual(both), "both");
            Assert.That(await _scene.SendAsync("/v1/backends/chat/ws1/drain"), Is.EqualTo(200));
            times.Add(await ZoneScene.UntilAsync(
                async () => (await _scene.AddressesAsync("chat.lb.example.com")) is ["203.0.113.2"], "drained"));
            Assert.That(await _scene.AddressesAsync("ws1.chat.lb.example.com"), Is.Empty);
            Assert.That(await _scene.SendAsync("/v1/backends/chat/ws1/ready"), Is.EqualTo(200));
        }

        await ZoneScene.UntilAsync(async () => (await _scene.AddressesAsync("chat.lb.example.com")).SequenceEqual(both), "both again");
        Assert.That(times.Min(), Is.LessThan(TimeSpan.FromSeconds(1)), string.Join(' ', times));
        TestContext.Out.WriteLine($"gone after {string.Join(' ', times)}");
    }

    [Test]
    public async Task A_backend_that_is_down_is_gone_until_it_is_up()
    {
        _scene.Backends[1].StopListening();
        await ZoneScene.UntilAsync(async () => (await _scene.AddressesAsync("chat.lb.example.com")) is ["203.0.113.1"], "down");
        Assert.That(await DnsClientTool.AskAsync("dig", _scene.Server, "chat.lb.example.com", "SRV"), Does.Not.Contain("ws2"));
        _scene.Backends[1].Listen();
        await ZoneScene.UntilAsync(async () => (await _scene.AddressesAsync("chat.lb.example.com")).Length == 2, "up");
    }

    [Test]
    public async Task A_flood_from_one_network_is_limited_and_another_is_served()
    {
        const int Flood = 5_000;
        (long slipped, long limited) = (await _scene.CountedAsync("slipped"), await _scene.CountedAsync("limited"));
        using UdpClient flood = _scene.ClientFrom(IPAddress.Parse("127.200.1.1"));
        using UdpClient neighbour = _scene.ClientFrom(IPAddress.Parse("127.200.1.9"));
        using UdpClient other = _scene.ClientFrom(IPAddress.Parse("127.200.2.1"));
        byte[] question = ZoneScene.Question("chat.lb.example.com");
        int served = 0;
        for (int i = 1; i <= Flood; i++)
        {
            await (i % 2 == 0 ? flood : neighbour).SendAsync(question);
            if (i % 50 == 0)
            {
                // In step with the daemon, so that its socket does not overflow and the last question has been counted.
                await other.SendAsync(question);
                byte[] answer = (await other.ReceiveAsync().WaitAsync(DaemonProcess.Deadline)).Buffer;
                served += ZoneScene.Addresses(answer).Length == 2 ? 1 : 0;
            }
        }

        Assert.That(served, Is.EqualTo(Flood / 50), "all of the other network");
        slipped = await _scene.CountedAsync("slipped") - slipped;
        limited = await _scene.CountedAsync("limited") - limited;
        Assert.That(slipped + limited, Is.InRange(Flood / 10, Flood - ZoneScene.Rate));
        Assert.That(slipped - limited, Is.InRange(0, 1));
        byte[] slip = await FirstAsync(flood, answer => (answer[2] & 2) != 0);
        Assert.That((slip.Length, ZoneScene.Addresses(slip).Length), Is.EqualTo((question.Length, 0)), "empty, no larger than the question");
        Assert.That(await TcpAsync(IPAddress.Parse("127.200.1.1"), question), Is.EqualTo(new[] { "203.0.113.1", "203.0.113.2" }));
        await _scene.Daemon.LineWithAsync($"DNS: more questions than rate_per_source = {ZoneScene.Rate} a second, the latest from 127.200.1.");
    }

    [Test]
    public async Task What_must_not_be_answered_is_not()
    {
        long ignored = await _scene.CountedAsync("ignored");
        using UdpClient client = _scene.ClientFrom(IPAddress.Parse("127.201.1.1"));
        byte[] response = ZoneScene.Question("lb.example.com");
        response[2] |= 0x80;
        await client.SendAsync(response);
        await client.SendAsync(response.AsMemory(0, 11));
        await client.SendAsync(ReadOnlyMemory<byte>.Empty);
        await client.SendAsync(ZoneScene.Question("lb.example.com"));
        byte[] first = (await client.ReceiveAsync().WaitAsync(DaemonProcess.Deadline)).Buffer;
        Assert.That(ZoneScene.Addresses(first), Is.EqualTo(new[] { "192.0.2.10" }), "the answer to the last");
        Assert.That(client.Available, Is.Zero);
        Assert.That(await _scene.CountedAsync("ignored") - ignored, Is.EqualTo(3));
    }

    [Test]
    public async Task A_flood_of_questions_leaves_relays_alone()
    {
        using TcpClient relayed = await Talk.ConnectAsync(_scene.Listener);
        await AskAsync(relayed);
        using var ends = new CancellationTokenSource();
        Task<int> flood = Task.Run(() => FloodAsync(ends.Token));
        List<double> times = [];
        long began = TimeProvider.System.GetTimestamp();
        while (TimeProvider.System.GetElapsedTime(began) < TimeSpan.FromSeconds(2))
        {
            long asked = TimeProvider.System.GetTimestamp();
            await AskAsync(relayed);
            times.Add(TimeProvider.System.GetElapsedTime(asked).TotalMilliseconds);
        }

        await ends.CancelAsync();
        int sent = await flood;
        times.Sort();
        TestContext.Out.WriteLine(
            $"{sent} questions, {times.Count} messages, p50 {times[times.Count / 2]:F2} ms, p99 {times[times.Count * 99 / 100]:F2} ms");
        Assert.That(sent, Is.GreaterThan(1_000));
        Assert.That(times[times.Count / 2], Is.LessThan(50), "milliseconds, beside the flood's own use of the processors");
        Assert.That(await _scene.AddressesAsync("lb.example.com"), Is.EqualTo(new[] { "192.0.2.10" }));
    }

    [Test]
    public async Task A_reload_changes_the_zone_but_not_where_it_listens()
    {
        await _scene.ReloadAsync("address = [\"192.0.2.99\"]\nttl = \"7s\"");
        try
        {
            Assert.That(
                await DnsClientTool.AskAsync("dig", _scene.Server, "lb.example.com", "A"), Does.Contain("lb.example.com. 7 IN A 192.0.2.99"));
            Assert.That((await _scene.ConfigAsync()).GetProperty("dns").GetProperty("ttl").GetString(), Is.EqualTo("7s"));
        }
        finally
        {
            await _scene.ReloadAsync("address = [\"192.0.2.10\", \"2001:db8::10\"]");
        }

        await _scene.ReloadAsync("address = [\"192.0.2.10\", \"2001:db8::10\"]");
        Assert.That(await _scene.AddressesAsync("lb.example.com"), Is.EqualTo(new[] { "192.0.2.10" }));
    }

    // At most 20,000 a second, from fifty networks.
    private async Task<int> FloodAsync(CancellationToken ends)
    {
        UdpClient[] clients = [.. Enumerable.Range(0, 50).Select(i => _scene.ClientFrom(ZoneScene.SourceFor(50_000 + i)))];
        byte[] question = ZoneScene.Question("many.lb.example.com", type: 33);
        int sent = 0;
        using var ticks = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        while (!ends.IsCancellationRequested && await ticks.WaitForNextTickAsync(CancellationToken.None))
        {
            for (int i = 0; i < 200; i++, sent++)
            {
                clients[sent % clients.Length].Client.Send(question);
            }
        }

        Array.ForEach(clients, c => c.Dispose());
        return sent;
    }

    private static async Task AskAsync(TcpClient client)
    {
        await client.GetStream().WriteAsync("GET / HTTP/1.1\r\n\r\n"u8.ToArray());
        using var reader = new StreamReader(client.GetStream(), leaveOpen: true);
        string? line;
        do
        {
            line = await reader.ReadLineAsync().WaitAsync(DaemonProcess.Deadline);
        }
        while (line is { Length: > 0 });
    }

    private static async Task<byte[]> FirstAsync(UdpClient client, Predicate<byte[]> wanted)
    {
        while (true)
        {
            byte[] answer = (await client.ReceiveAsync().WaitAsync(DaemonProcess.Deadline)).Buffer;
            if (wanted(answer))
            {
                return answer;
            }
        }
    }

    private async Task<string[]> TcpAsync(IPAddress source, byte[] question)
    {
        using var client = new TcpClient(new IPEndPoint(source, 0));
        await client.ConnectAsync(_scene.Server);
        NetworkStream stream = client.GetStream();
        await stream.WriteAsync((byte[])[0, (byte)question.Length, .. question]);
        var length = new byte[2];
        await stream.ReadExactlyAsync(length).AsTask().WaitAsync(DaemonProcess.Deadline);
        var answer = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
        await stream.ReadExactlyAsync(answer).AsTask().WaitAsync(DaemonProcess.Deadline);
        return ZoneScene.Addresses(answer);
    }
}
