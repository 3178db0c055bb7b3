using System.Text;
using L4Balancer.Core.Dns;
using L4Balancer.Core.Routing;
using L4Balancer.Discovery;
using L4Balancer.Engine;
using L4Balancer.Fleet;
using L4Balancer.Metrics;
using L4Balancer.Packets;
using Microsoft.AspNetCore.Http;

namespace L4Balancer.Tests.Metrics;

/// <summary>The metrics of a snapshot with what answers for them on a web host, asked without one.</summary>
internal sealed class ScrapedMetrics : IDisposable
{
    public const string OpenMetrics = "application/openmetrics-text; version=1.0.0";

    private readonly PrometheusEndpoint _endpoint;

    public ScrapedMetrics(
        Func<RoutingSnapshot> snapshot, Func<IEngine?>? engine = null, TimeProvider? clock = null, Func<FleetStatus?>? fleet = null,
        Func<string, DiscoveryStatus?>? discovery = null, DnsCounters? dns = null, PacketTotals? packets = null)
    {
        Of = new BalancerMetrics(snapshot, engine ?? (() => null), clock ?? TimeProvider.System, workers: 2, dns ?? new DnsCounters(), fleet)
        {
            Discovery = discovery ?? (static _ => null),
            Packets = () => packets ?? PacketTotals.Empty,
        };
        _endpoint = new PrometheusEndpoint(Of);
    }

    public BalancerMetrics Of { get; }

    public string Text(string accept = "text/plain") => Encoding.UTF8.GetString(Body(accept).ToArray());

    public MemoryStream Body(string accept = "text/plain")
    {
        var body = new MemoryStream();
        var http = new DefaultHttpContext();
        http.Request.Headers.Accept = accept;
        http.Response.Body = body;
        Assert.That(_endpoint.AnswerAsync(http).Wait(DaemonProcess.Deadline), Is.True);
        Assert.That(http.Response.StatusCode, Is.EqualTo(StatusCodes.Status200OK));
        return body;
    }

    public void Dispose()
    {
        _endpoint.Dispose();
        Of.Dispose();
    }
}
