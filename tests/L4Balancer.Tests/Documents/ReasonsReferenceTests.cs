using System.Text.Json;
using L4Balancer.AccessLog;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Logging;
using L4Balancer.Metrics;

namespace L4Balancer.Tests.Documents;

/// <summary>docs/reasons.md against the reasons, the limits and the line of the access log.</summary>
internal sealed class ReasonsReferenceTests
{
    private const string Page = "docs/reasons.md";

    private static readonly string[] Causes = ["client", "backend", "balancer", "operator"];

    [Test]
    public void Every_reason_has_its_row()
    {
        string[][] rows = MarkdownTable.Rows(Page, "reason");
        string[] reasons = [.. Enumerable.Range(1, CloseReasons.Count - 1).Select(r => ((CloseReason)r).Name())];
        Assert.That(rows.Select(r => MarkdownTable.Words(r[0]).Single()), Is.EqualTo(reasons));
        foreach (string[] row in rows)
        {
            Assert.That(row[1], Is.AnyOf("refused", "established", "refused, established"), row[0]);
            Assert.That(Causes, Does.Contain(row[2]), row[0]);
            Assert.That(row[3], Is.Not.Empty, row[0]);
        }
    }

    [Test]
    public void What_is_closed_at_a_pace_ends_established_connections_and_what_alerts_for_refusals_ends_others()
    {
        Dictionary<string, string> ends = MarkdownTable.Rows(Page, "reason").ToDictionary(r => MarkdownTable.Words(r[0]).Single(), r => r[1]);
        Assert.That(CloseReasons.Paced.Select(r => ends[r.Name()]), Is.All.Contains("established"));
        Assert.That(ListenerInstruments.Alerted.Select(r => ends[r.Name()]), Is.All.Contains("refused"));
    }

    [Test]
    public void Every_limit_has_its_row()
    {
        string[] limits = [.. Enumerable.Range(1, LimitKinds.Count - 1).Select(l => ((LimitKind)l).Name())];
        Assert.That(MarkdownTable.Rows(Page, "limit").Select(r => MarkdownTable.Words(r[0]).Single()), Is.EqualTo(limits));
        Assert.That(Enum.GetValues<LimitKind>(), Has.Length.EqualTo(LimitKinds.Count));
    }

    [Test]
    public void Every_field_of_the_access_log_has_its_row_in_the_order_of_the_line()
    {
        ConnectionRecord record = Connections.ClosedAfterRequest("GET /?room=a HTTP/1.1\r\nHost: chat.test\r\n\r\n");
        record.Limit = LimitKind.Host;
        using var line = new AccessLine(LogFormat.Json);
        var lines = new LineBuffer(512);
        line.Append(lines, record, LineKind.End, withKind: true, isDebug: false, DateTimeOffset.UnixEpoch);
        string[] fields = [.. JsonDocument.Parse(lines.Written.ToArray()).RootElement.EnumerateObject().Select(p => p.Name)];
        string[][] rows = MarkdownTable.Rows(Page, "field");
        Assert.That(rows.Select(r => MarkdownTable.Words(r[0]).Single()), Is.EqualTo(fields));
        Assert.That(rows.Select(r => r[1]), Is.All.Not.Empty);
        Assert.That(rows.Where(r => r[1] == "milliseconds").Select(r => r[2]), Is.All.StartsWith("from ").Or.StartWith("duration "));
    }
}
