using L4Balancer.Core.Routing;

namespace L4Balancer.Tests.Metrics;

[NonParallelizable]
internal sealed class NegotiationTests
{
    // What Prometheus itself has sent over the years, then what people and other scrapers send.
    [TestCase("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", true)]
    [TestCase("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.4,*/*;q=0.1", true)]
    [TestCase("text/plain;version=0.0.4;q=0.5,application/openmetrics-text;version=1.0.0;q=0.4", false)]
    [TestCase("application/openmetrics-text", true)]
    [TestCase("Application/OpenMetrics-Text; Version=\"1.0.0\"", true)]
    [TestCase("application/openmetrics-text;version=2.0.0, text/plain;q=0.1", false)]
    [TestCase("application/openmetrics-text;q=0", false)]
    [TestCase("text/plain", false)]
    [TestCase("*/*", false)]
    [TestCase("text/html", false)]
    [TestCase("", false)]
    [TestCase(";;,q=", false)]
    public void The_scraper_says_which_text_it_gets(string accept, bool open)
    {
        RoutingSnapshot snapshot = Connections.Snapshot();
        using var metrics = new ScrapedMetrics(() => snapshot);
        string text = metrics.Text(accept);
        Assert.That(text, open ? Does.EndWith("\n# EOF\n") : Does.Not.Contain("# EOF"));
        Assert.That(text, Does.Contain($"# TYPE l4balancer_connections_accepted{(open ? "" : "_total")} counter\n"));
        Assert.That(text, Does.Contain("l4balancer_connections_accepted_total{listener=\"wss\"} 0\n"));
        Assert.That(text, Does.Not.Contain("otel_scope").And.Not.Contain("target_info").And.Not.Contain("collection_begins"));
    }
}
