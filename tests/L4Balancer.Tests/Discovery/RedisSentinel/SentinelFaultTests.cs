using System.Net.Sockets;
using System.Text;
using L4Balancer.Core.Config;
using L4Balancer.Core.Discovery;
using L4Balancer.Discovery.RedisSentinel;
using L4Balancer.Tests.Etcd;

namespace L4Balancer.Tests.Discovery.RedisSentinel;

/// <summary>Sentinels that answer rubbish, or have missed a failover, as stubs.</summary>
[TestFixture]
[Parallelizable(ParallelScope.All)]
internal sealed class SentinelFaultTests
{
    private const string Subscribed = "*3\r\n$10\r\npsubscribe\r\n$1\r\n*\r\n:1\r\n";

    private static IEnumerable<TestCaseData> Rubbish()
    {
        string master = Master("10.0.0.1", "6379", 1);
        yield return new TestCaseData("HTTP/1.1 400 Bad Request\r\n\r\n", "", "it does not answer as a Sentinel does").SetArgDisplayNames("HTTP");
        yield return new TestCaseData("$99999999999\r\n", "", "it does not answer as a Sentinel does").SetArgDisplayNames("too long a text");
        yield return new TestCaseData("*-2\r\n", "", "it does not answer as a Sentinel does").SetArgDisplayNames("negative count");
        yield return new TestCaseData(":12a\r\n", "", "it does not answer as a Sentinel does").SetArgDisplayNames("no number");
        yield return new TestCaseData("$1\r\nabc", "", "it does not answer as a Sentinel does").SetArgDisplayNames("text without an end");
        yield return new TestCaseData(string.Concat(Enumerable.Repeat("*1\r\n", 6)), "", "it does not answer as a Sentinel does").SetArgDisplayNames("too deep");
        yield return new TestCaseData(new string('+', 5000), "", "it does not answer as a Sentinel does").SetArgDisplayNames("line without an end");
        yield return new TestCaseData("", "", "closed the connection").SetArgDisplayNames("end at once");
        yield return new TestCaseData("*3\r\n$10\r\npsub", "", "closed the connection").SetArgDisplayNames("end in a text");
        yield return new TestCaseData("-NOPERM this user has no permissions\r\n", "", "no subscription: \"NOPERM this user").SetArgDisplayNames("no permission");
        yield return new TestCaseData("+OK\r\n", "", "no subscription").SetArgDisplayNames("no subscription");
        yield return new TestCaseData(Subscribed, "-ERR \u001b[31m\r\n-ERR\r\n-ERR\r\n", "\"ERR \\U0000001B[31m\"").SetArgDisplayNames("error");
        yield return new TestCaseData(Subscribed, "*-1\r\n*0\r\n*0\r\n", "it does not know the master").SetArgDisplayNames("no master");
        yield return new TestCaseData(Subscribed, "-IDONTKNOW No such master\r\n*0\r\n*0\r\n", "it does not know the master").SetArgDisplayNames("error about the master");
        yield return new TestCaseData(Subscribed, "+OK\r\n+OK\r\n+OK\r\n", "it does not answer as a Sentinel does").SetArgDisplayNames("no address");
        yield return new TestCaseData(Subscribed, "*1\r\n+a\r\n*0\r\n*0\r\n", "its address of the master").SetArgDisplayNames("half an address");
        yield return new TestCaseData(Subscribed, Master("redis.example.com", "6379", 1), "announces the name").SetArgDisplayNames("a name");
        yield return new TestCaseData(Subscribed, Master("10.0.0.1", "0", 1), "cannot be connected to").SetArgDisplayNames("port 0");
        yield return new TestCaseData(Subscribed, master.Replace("config-epoch", "config-apoch"), "its description of the master").SetArgDisplayNames("no epoch");
        yield return new TestCaseData(Subscribed, master[..^4] + "*1\r\n*1\r\n+ip\r\n", "its list of replicas").SetArgDisplayNames("odd fields");
        yield return new TestCaseData(Subscribed, master[..^4] + "*1\r\n+ip\r\n", "its list of replicas").SetArgDisplayNames("replica as a text");
        yield return new TestCaseData(Subscribed, master[..^4] + Replica("host", "1", "slave"), "announces the name").SetArgDisplayNames("replica by name");
    }

    [TestCaseSource(nameof(Rubbish))]
    public async Task Sentinel_that_answers_rubbish_is_unknown(string toSubscription, string toQuestion, string why)
    {
        await using StubStore stub = Stub(() => (toSubscription, toQuestion));
        await using WatchedSource source = Watch(SentinelRole.Master, stub.Server);
        await source.UnknownAsync(why);
        Assert.That(source.Sets, Is.Empty);
    }

    [Test]
    public async Task Password_that_a_server_quotes_is_not_shown()
    {
        using var password = new TemporaryFile("correct-horse\n");
        await using StubStore stub = Stub(() => ("", "-ERR unknown command 'AUTH', with args beginning with: 'lb' 'correct-ho\r\n"));
        await using var source = new WatchedSource(new SentinelSource(
            new DiscoverySettings
            {
                Kind = DiscoveryKind.RedisSentinel,
                RedisSentinel = [stub.Server],
                Service = "chat",
                User = "lb",
                PasswordFile = password.Path,
            },
            TimeProvider.System));
        Assert.That((await source.UnknownAsync("the user and the password are not accepted")).Why, Does.Not.Contain("correct"));
    }

    [Test]
    public async Task Sentinel_that_has_missed_a_failover_makes_way_for_one_that_has_not()
    {
        bool isDead = false;
        await using StubStore stale = Stub(() => (Subscribed, Master("10.0.0.1", "6379", 4)));
        await using StubStore current = Stub(() => Volatile.Read(ref isDead) ? ("", "") : (Subscribed, Master("10.0.0.2", "6379", 5)), endsAfter: 100);
        await using WatchedSource source = Watch(SentinelRole.Master, current.Server, stale.Server);
        await source.SetAsync("10.0.0.2:6379");
        await source.UnknownAsync("closed the connection");
        await source.UnknownAsync($"{stale.Server}: it has missed a failover");
        await source.SetAsync("10.0.0.2:6379");
        Volatile.Write(ref isDead, true);
        for (int round = 0; round < 3; round++)
        {
            await source.UnknownAsync("no Sentinel answers");
        }

        Assert.That(source.Sets, Is.EqualTo(["10.0.0.2:6379"]));
    }

    [Test]
    public async Task Sentinels_that_were_set_up_anew_are_believed_once_none_knows_of_the_failover()
    {
        long epoch = 7;
        await using StubStore stub = Stub(() => (Subscribed, Master($"10.0.0.{Volatile.Read(ref epoch)}", "6379", Volatile.Read(ref epoch))), endsAfter: 50);
        await using WatchedSource source = Watch(SentinelRole.Master, stub.Server);
        await source.SetAsync("10.0.0.7:6379");
        Volatile.Write(ref epoch, 1);
        await source.UnknownAsync("it has missed a failover");
        await source.SetAsync("10.0.0.1:6379");
    }

    [Test]
    public async Task Only_replicas_that_the_Sentinel_reaches_are_backends_and_only_once()
    {
        string replicas = Master("10.0.0.1", "6379", 1)[..^4] + "*5\r\n"
            + string.Concat(
                ((string[])["10.0.0.2/slave", "10.0.0.3/s_down,slave", "10.0.0.4/slave,disconnected", "10.0.0.1/slave", "10.0.0.2/slave"])
                .Select(r => Replica(r.Split('/')[0], "6379", r.Split('/')[1])[4..]));
        await using StubStore stub = Stub(() => (Subscribed, replicas));
        await using WatchedSource source = Watch(SentinelRole.Replica, stub.Server);
        await source.SetAsync("10.0.0.2:6379");
    }

    [Test]
    public async Task Event_of_another_master_is_no_reason_to_ask()
    {
        int asked = 0;
        string master = "10.0.0.1";
        await using var stub = new StubStore(async (stream, stop) =>
        {
            string request = await ReadAsync(stream, stop);
            if (!request.Contains("PSUBSCRIBE", StringComparison.Ordinal))
            {
                Interlocked.Increment(ref asked);
                await WriteAsync(stream, Master(Volatile.Read(ref master), "6379", 1), stop);
                return;
            }

            await WriteAsync(stream, Subscribed + Event("+sdown", "master other 10.0.0.9 6379") + Event("+tilt", "#tilt mode entered"), stop);

            // The ping follows only once the source has taken these events, and has waited without asking.
            Assert.That(await ReadAsync(stream, stop), Does.Contain("PING"));
            Volatile.Write(ref master, "10.0.0.3");
            await WriteAsync(stream, Event("+sdown", "slave 10.0.0.2:6379 10.0.0.2 6379 @ chat 10.0.0.1 6379"), stop);
            await Task.Delay(Timeout.Infinite, stop);
        });
        await using WatchedSource source = Watch(SentinelRole.Master, TimeSpan.FromSeconds(6), stub.Server);
        await source.SetAsync("10.0.0.1:6379");
        await source.SetAsync("10.0.0.3:6379");
        Assert.That(asked, Is.EqualTo(2), "once at the start, and once for the event of its own master");
    }

    private static StubStore Stub(Func<(string ToSubscription, string ToQuestion)> answers, int endsAfter = Timeout.Infinite) => new(async (stream, stop) =>
    {
        string request = await ReadAsync(stream, stop);
        (string toSubscription, string toQuestion) = answers();
        bool isSubscription = request.Contains("PSUBSCRIBE", StringComparison.Ordinal);
        string answer = isSubscription ? toSubscription : toQuestion;
        await WriteAsync(stream, answer, stop);
        if (isSubscription && answer == Subscribed)
        {
            await Task.Delay(endsAfter, stop);
        }
    });

    private static async Task<string> ReadAsync(NetworkStream stream, CancellationToken stop)
    {
        var request = new byte[4096];
        return Encoding.UTF8.GetString(request, 0, await stream.ReadAsync(request, stop));
    }

    private static async Task WriteAsync(NetworkStream stream, string text, CancellationToken stop) =>
        await stream.WriteAsync(Encoding.UTF8.GetBytes(text), stop);

    // The replies to all three commands, without replicas.
    private static string Master(string host, string port, long epoch) =>
        $"*2\r\n+{host}\r\n+{port}\r\n*4\r\n+flags\r\n+master\r\n+config-epoch\r\n+{epoch}\r\n*0\r\n";

    private static string Replica(string host, string port, string flags) =>
        $"*1\r\n*6\r\n+ip\r\n+{host}\r\n+port\r\n+{port}\r\n+flags\r\n+{flags}\r\n";

    private static string Event(string channel, string message) => $"*4\r\n+pmessage\r\n+*\r\n+{channel}\r\n+{message}\r\n";

    private static WatchedSource Watch(SentinelRole role, params string[] servers) => Watch(role, TimeSpan.FromSeconds(10), servers);

    private static WatchedSource Watch(SentinelRole role, TimeSpan timeout, params string[] servers) => new(new SentinelSource(
        new DiscoverySettings
        {
            Kind = DiscoveryKind.RedisSentinel,
            RedisSentinel = [.. servers],
            Service = "chat",
            Role = role,
            Interval = TimeSpan.FromMinutes(10),
        },
        TimeProvider.System)
    {
        Timeout = timeout,
        Random = new Random(1),
    });
}
