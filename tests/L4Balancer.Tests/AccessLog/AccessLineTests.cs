using System.Text.Json;
using L4Balancer.AccessLog;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;

namespace L4Balancer.Tests.AccessLog;

internal sealed class AccessLineTests
{
    private static readonly DateTimeOffset Time = new(2026, 11, 20, 12, 5, 7, 89, TimeSpan.Zero);

    [Test]
    public void A_closed_connection_says_everything()
    {
        string line = AccessLine.Format(
            LogFormat.Text, Connections.Closed(Connections.Snapshot(), CloseReason.BackendReset), ended: true, Time);
        Assert.That(line, Is.EqualTo(
            "time=2026-11-20T12:05:07.089Z id=1 listener=wss client=203.0.113.7:51234 destination=198.51.100.1:443 pool=chat backend=ws1 "
            + "source=10.0.0.1:40000 sni=- queue=0 connect=2 total=5002 to_backend=1234 to_client=5678 attempts=1 reason=backend_reset"));
    }

    [Test]
    public void A_refused_connection_has_no_source_and_no_connect_time()
    {
        string line = AccessLine.Format(
            LogFormat.Text, Connections.Refused(Connections.Snapshot(), CloseReason.ClientReset), ended: true, Time);
        Assert.That(line, Does.Contain(" backend=ws1 source=- ").And.Contain(" connect=- total=1 to_backend=0 to_client=0 attempts=1 reason=client_reset"));
    }

    [Test]
    public void A_line_at_connect_leaves_open_what_is_not_known_yet()
    {
        string line = AccessLine.Format(LogFormat.Text, Connections.Established(Connections.Snapshot()), ended: false, Time);
        Assert.That(line, Does.EndWith(" queue=0 connect=2 total=- to_backend=- to_client=- attempts=1 reason=-"));
    }

    [Test]
    public void Json_has_the_same_keys_in_the_same_order()
    {
        string text = AccessLine.Format(
            LogFormat.Text, Connections.Closed(Connections.Snapshot(), CloseReason.ClientClosed), ended: true, Time);
        string json = AccessLine.Format(
            LogFormat.Json, Connections.Closed(Connections.Snapshot(), CloseReason.ClientClosed), ended: true, Time);
        JsonElement line = JsonDocument.Parse(json).RootElement;
        Assert.That(line.EnumerateObject().Select(p => p.Name), Is.EqualTo(text.Split(' ').Select(p => p.Split('=')[0])));
        Assert.That(line.GetProperty("total").GetDouble(), Is.EqualTo(5002));
        Assert.That(line.GetProperty("to_client").GetInt64(), Is.EqualTo(5678));
        Assert.That(line.GetProperty("sni").ValueKind, Is.EqualTo(JsonValueKind.Null));
        Assert.That(line.GetProperty("reason").GetString(), Is.EqualTo("client_closed"));
    }

    [Test]
    public void The_journal_gets_the_text_behind_a_priority()
    {
        string line = AccessLine.Format(
            LogFormat.Journal, Connections.Closed(Connections.Snapshot(), CloseReason.ClientClosed), ended: true, Time);
        Assert.That(line, Does.StartWith("<6>time=2026-11-20T12:05:07.089Z id=1 "));
    }

    [Test]
    public void Names_from_the_file_cannot_forge_a_field()
    {
        string line = AccessLine.Format(
            LogFormat.Text, Connections.Closed(Connections.Snapshot(listener: "a reason=\"x\"\n"), CloseReason.ClientClosed), ended: true, Time);
        Assert.That(line, Does.Contain(" listener=\"a reason=\\\"x\\\"\\n\" client="));
    }
}
