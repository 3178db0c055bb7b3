using System.Net;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Dns;
using L4Balancer.Core.Routing;
using L4Balancer.NameServer;
using L4Balancer.Web;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace L4Balancer.Tests.NameServer;

/// <summary>Connections of clients that are slow, many, or send what is no question.</summary>
internal sealed class TcpAnswersTests
{
    private static readonly byte[] Ask = [0, 32, .. ZoneScene.Question("lb.example.com")];

    private FakeTimeProvider _clock = null!;
    private TcpAnswers _server = null!;

    [SetUp]
    public void Start()
    {
        _clock = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(50));
        _server = ServerWith(_clock);
    }

    [TearDown]
    public async Task Stop() => await _server.DisposeAsync();

    [Test]
    public async Task Questions_that_come_at_once_or_in_parts_are_answered_in_order()
    {
        using TcpClient client = await ConnectAsync(1);
        await client.GetStream().WriteAsync((byte[])[.. Ask, .. Ask, .. Ask.AsSpan(0, 7)]);
        await AnswerAsync(client);
        await AnswerAsync(client);
        await client.GetStream().WriteAsync(Ask.AsMemory(7));
        await AnswerAsync(client);
    }

    [TestCase(0)]
    [TestCase(7)]
    public async Task A_client_that_does_not_finish_a_question_is_left_after_ten_seconds(int sent)
    {
        using TcpClient client = await ConnectAsync(1);
        await client.GetStream().WriteAsync(Ask);
        await AnswerAsync(client);
        await client.GetStream().WriteAsync(Ask.AsMemory(0, sent));
        Task<bool> ended = EndsAsync(client);
        for (int i = 0; !ended.IsCompleted && i < 1000; i++)
        {
            // Its deadline may not be set yet.
            _clock.Advance(TimeSpan.FromSeconds(1));
            await Task.WhenAny(ended, PauseAsync());
        }

        Assert.That(await ended, Is.True);
    }

    [TestCase(new byte[] { 0, 0 })]
    [TestCase(new byte[] { 0xFF, 0xFF })]
    [TestCase(new byte[] { 0, 1, 0 })]
    public async Task What_is_no_question_ends_the_connection(byte[] bytes)
    {
        using TcpClient client = await ConnectAsync(1);
        await client.GetStream().WriteAsync(bytes);
        Assert.That(await EndsAsync(client), Is.True);
    }

    [Test]
    public async Task Of_one_network_the_connection_that_is_idle_for_longest_gives_way()
    {
        var clients = new List<TcpClient>();
        for (int i = 0; i < 8; i++)
        {
            clients.Add(await ConnectAsync(1));
            await clients[i].GetStream().WriteAsync(Ask);
            await AnswerAsync(clients[i]);
            _clock.Advance(TimeSpan.FromMilliseconds(1));
        }

        using TcpClient other = await ConnectAsync(2);
        await clients[0].GetStream().WriteAsync(Ask);
        await AnswerAsync(clients[0]);
        clients.Add(await ConnectAsync(1));
        Assert.That(await EndsAsync(clients[1]), Is.True);
        foreach (TcpClient client in (TcpClient[])[.. clients.Where(c => c != clients[1]), other])
        {
            await client.GetStream().WriteAsync(Ask);
            await AnswerAsync(client);
        }

        clients.ForEach(c => c.Dispose());
    }

    [Test]
    public async Task However_fast_they_come_one_network_has_at_most_eight_connections()
    {
        const int Count = 64;
        TcpClient?[] clients = await Task.WhenAll(Enumerable.Range(0, Count).Select(_ => TryConnectAsync()));
        await ZoneScene.UntilAsync(
            () => Task.FromResult(clients.Count(c => c is null || c.Client.Poll(0, SelectMode.SelectRead)) == Count - 8), "all but eight have ended");
        Array.ForEach(clients, c => c?.Dispose());

        // One that is reset as soon as it is accepted may have ended before the connect has.
        async Task<TcpClient?> TryConnectAsync()
        {
            try
            {
                return await ConnectAsync(1);
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
            {
                return null;
            }
        }
    }

    private static TcpAnswers ServerWith(TimeProvider clock)
    {
        var settings = new DnsSettings { Zone = "lb.example.com", Address = [HostAddress.FromV4(0xC000_020A)] };
        RoutingSnapshot snapshot = RoutingSnapshot.Build(new DesiredState(new BalancerConfig(), 10));
        var view = new DnsView(() => snapshot, () => settings, new OwnAddresses(() => settings), clock);
        ControlSocket socket = new ControlSockets([], NullLogger.Instance).Tcp("dns", new Endpoint(HostAddress.FromV4(0x7F00_0001), 0));
        return new TcpAnswers(
            socket, new Answering(view, new DnsCounters(), 1, clock, NullLogger.Instance));
    }

    private static async Task PauseAsync()
    {
        using var pause = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        await pause.WaitForNextTickAsync();
    }

    private async Task<TcpClient> ConnectAsync(int network)
    {
        var client = new TcpClient(new IPEndPoint(new IPAddress([127, 90, (byte)network, 1]), 0));
        await client.ConnectAsync(_server.Bound.ToIPEndPoint());
        return client;
    }

    private static async Task AnswerAsync(TcpClient client)
    {
        var answer = new byte[2 + 48];
        await client.GetStream().ReadExactlyAsync(answer).AsTask().WaitAsync(DaemonProcess.Deadline);
        Assert.That(ZoneScene.Addresses(answer[2..]), Is.EqualTo(new[] { "192.0.2.10" }));
    }

    private static async Task<bool> EndsAsync(TcpClient client)
    {
        try
        {
            return await client.GetStream().ReadAsync(new byte[1]).AsTask().WaitAsync(DaemonProcess.Deadline) == 0;
        }
        catch (IOException)
        {
            // A connection with bytes that were not read ends by a reset.
            return true;
        }
    }
}
