using System.Text;
using System.Text.Json;
using L4Balancer.AccessLog;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;
using L4Balancer.Logging;

namespace L4Balancer.Tests.AccessLog;

internal sealed class AccessLineTests
{
    private const string Ended =
        "time=2026-11-20T12:05:07.089Z id=1 listener=wss client=203.0.113.7:51234 destination=198.51.100.1:443 pool=chat backend=ws1 "
        + "source=10.0.0.1:40000 sni=- queue=0 connect=2 total=5002 to_backend=1234 to_client=5678 attempts=1 reason=backend_reset\n";

    private const string EndedInJson =
        "{\"time\":\"2026-11-20T12:05:07.089Z\",\"id\":1,\"listener\":\"wss\",\"client\":\"203.0.113.7:51234\",\"destination\":\"198.51.100.1:443\","
        + "\"pool\":\"chat\",\"backend\":\"ws1\",\"source\":\"10.0.0.1:40000\",\"sni\":null,\"queue\":0,\"connect\":2,\"total\":5002,"
        + "\"to_backend\":1234,\"to_client\":5678,\"attempts\":1,\"reason\":\"backend_reset\"}\n";

    private static readonly DateTimeOffset Time = new(2026, 11, 20, 12, 5, 7, 89, TimeSpan.Zero);

    [TestCase(LogFormat.Text, Ended)]
    [TestCase(LogFormat.Journal, "<6>" + Ended)]
    [TestCase(LogFormat.Json, EndedInJson)]
    public void A_closed_connection_says_everything(LogFormat format, string expected)
    {
        string line = Format(format, Connections.Closed(Connections.Snapshot(), CloseReason.BackendReset));
        Assert.That(line, Is.EqualTo(expected));
    }

    [Test]
    public void A_refused_connection_has_no_source_and_no_connect_time()
    {
        string line = Format(LogFormat.Text, Connections.Refused(Connections.Snapshot(), CloseReason.ClientReset));
        Assert.That(line, Does.Contain(" backend=ws1 source=- ").And.Contain(" connect=- total=1 to_backend=0 to_client=0 attempts=1 reason=client_reset"));
    }

    [Test]
    public void A_line_at_connect_leaves_open_what_is_not_known_yet()
    {
        string line = Format(LogFormat.Text, Connections.Established(Connections.Snapshot()), LineKind.Start, withKind: true);
        Assert.That(line, Does.Contain(" id=1 event=start listener="));
        Assert.That(line, Does.EndWith(" queue=0 connect=2 total=- to_backend=- to_client=- attempts=1 reason=-\n"));
    }

    [TestCase(LogFormat.Text, " id=1 event=alive listener=wss ", " total=1500.25 to_backend=7 to_client=0 attempts=1 reason=-\n")]
    [TestCase(LogFormat.Json, "\"id\":1,\"event\":\"alive\",", "\"total\":1500.25,\"to_backend\":7,\"to_client\":0,\"attempts\":1,\"reason\":null}\n")]
    public void A_living_connection_says_what_it_has_done_so_far(LogFormat format, string kind, string rest)
    {
        ConnectionRecord record = Connections.Established(Connections.Snapshot());
        record.BytesToBackend = 7;
        string line = Format(format, record.At(Connections.Start + TimeSpan.FromMilliseconds(1500.25)), LineKind.Alive, withKind: true);
        Assert.That(line, Does.Contain(kind).And.EndWith(rest));
    }

    [Test]
    public void Json_has_the_same_keys_in_the_same_order()
    {
        ConnectionRecord record = Connections.Closed(Connections.Snapshot(), CloseReason.ClientClosed);
        string text = Format(LogFormat.Text, record, withKind: true);
        string json = Format(LogFormat.Json, record, withKind: true);
        Assert.That(
            JsonDocument.Parse(json).RootElement.EnumerateObject().Select(p => p.Name), Is.EqualTo(text.Split(' ').Select(p => p.Split('=')[0])));
    }

    [TestCase(LogFormat.Text, " reason=client_closed route=1 rule=\"host chat.test\" host=chat.test key=\"a \\x1B[31m\"\n")]
    [TestCase(LogFormat.Json, "\"reason\":\"client_closed\",\"route\":\"1\",\"rule\":\"host chat.test\",\"host\":\"chat.test\",\"key\":\"a \\u001B[31m\"}\n")]
    public void What_was_read_of_the_client_and_the_route_stand_at_the_end(LogFormat format, string end)
    {
        string line = Format(format, Connections.ClosedAfterRequest("GET /?room=a%20%1B[31m HTTP/1.1\r\nHost: chat.test\r\n\r\n"));

        Assert.That(line, Does.EndWith(end));
    }

    [TestCase(LimitKind.SourceRate, " reason=limit limit=source_rate")]
    [TestCase(LimitKind.None, " reason=limit")]
    public void Which_limit_was_reached_stands_behind_the_reason(LimitKind limit, string end)
    {
        ConnectionRecord record = Connections.Refused(Connections.Snapshot(), CloseReason.Limit);
        record.Limit = limit;
        Assert.That(Format(LogFormat.Text, record, withKind: false).TrimEnd(), Does.EndWith(end));
        JsonElement json = JsonDocument.Parse(Format(LogFormat.Json, record, withKind: false)).RootElement;
        Assert.That(json.TryGetProperty("limit", out _), Is.EqualTo(limit != LimitKind.None));
    }

    [TestCase(true, "<7>time=")]
    [TestCase(false, "<6>time=")]
    public void The_journal_gets_the_text_behind_a_priority(bool isDebug, string start)
    {
        ConnectionRecord record = Connections.Established(Connections.Snapshot());
        Assert.That(Format(LogFormat.Journal, record, LineKind.Start, withKind: true, isDebug), Does.StartWith(start));
    }

    [Test]
    public void Names_from_the_file_cannot_forge_a_field()
    {
        string line = Format(LogFormat.Text, Connections.Closed(Connections.Snapshot(listener: "a reason=\"x\"\n"), CloseReason.ClientClosed));
        Assert.That(line, Does.Contain(" listener=\"a reason=\\\"x\\\"\\n\" client="));
    }

    [TestCase(0, "0")]
    [TestCase(1, "0")]
    [TestCase(6, "0.001")]
    [TestCase(1_000, "0.1")]
    [TestCase(10_500, "1.05")]
    [TestCase(123_456, "12.346")]
    [TestCase(864_000_000_000, "86400000")]
    public void A_duration_has_microseconds_and_no_zeros_at_its_end(long ticks, string expected)
    {
        ConnectionRecord record = Connections.Established(Connections.Snapshot());
        string line = Format(LogFormat.Text, record.At(record.AcceptedAt + TimeSpan.FromTicks(ticks)), LineKind.Alive);
        Assert.That(line, Does.Contain($" total={expected} "));
        string json = Format(LogFormat.Json, record.At(record.AcceptedAt + TimeSpan.FromTicks(ticks)), LineKind.Alive);
        Assert.That(json, Does.Contain($"\"total\":{expected},"));
    }

    [Test]
    public void Each_line_has_its_own_time()
    {
        using var line = new AccessLine(LogFormat.Text);
        var lines = new LineBuffer(16);
        ConnectionRecord record = Connections.Closed(Connections.Snapshot(), CloseReason.ClientClosed);
        DateTimeOffset[] times = [Time, Time.AddMilliseconds(1), Time.AddMilliseconds(911), Time.AddDays(1), Time];
        foreach (DateTimeOffset time in times)
        {
            line.Append(lines, record, LineKind.End, withKind: false, isDebug: false, time);
        }

        string[] written = Encoding.UTF8.GetString(lines.Written).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.That(written.Select(l => l[5..l.IndexOf(' ', StringComparison.Ordinal)]), Is.EqualTo(times.Select(LogText.Time)));
    }

    [TestCase(LogFormat.Text)]
    [TestCase(LogFormat.Json)]
    public void A_line_allocates_nothing(LogFormat format)
    {
        using var line = new AccessLine(format);
        var lines = new LineBuffer(4096);
        ConnectionRecord record = Connections.Closed(Connections.Snapshot(), CloseReason.ClientClosed);
        long before = 0;
        for (int i = 0; i < 1000; i++)
        {
            before = i == 100 ? GC.GetAllocatedBytesForCurrentThread() : before;
            lines.Clear();
            line.Append(lines, record, LineKind.End, withKind: true, isDebug: false, Time);
        }

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    private static string Format(
        LogFormat format, in ConnectionRecord record, LineKind kind = LineKind.End, bool withKind = false, bool isDebug = false)
    {
        using var line = new AccessLine(format);
        var lines = new LineBuffer(16);
        line.Append(lines, record, kind, withKind, isDebug, Time);
        return Encoding.UTF8.GetString(lines.Written);
    }
}
