using System.Net;
using L4Balancer.Tests.Hosting;

namespace L4Balancer.Tests.Metrics;

/// <summary>What the address of <c>[metrics] listen</c> answers, and what it does not.</summary>
internal sealed class MetricsServerTests
{
    [Test]
    public async Task Metrics_answer_nothing_but_their_question()
    {
        await using var backend = new EchoPeer();
        await using DaemonProcess daemon = DaemonProcess.Run(OneBackend.Config(backend.Endpoint));
        Uri metrics = await daemon.MetricsAsync();
        using var http = new HttpClient();
        Assert.That((await http.GetAsync(new Uri(metrics, "/"))).StatusCode, Is.EqualTo(HttpStatusCode.NotFound));
        HttpResponseMessage plain = await http.GetAsync(metrics);
        Assert.That(plain.Content.Headers.ContentType!.ToString(), Is.EqualTo("text/plain; version=0.0.4; charset=utf-8"));
        using var request = new HttpRequestMessage(HttpMethod.Get, metrics);
        request.Headers.Add("Accept", "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3");
        HttpResponseMessage open = await http.SendAsync(request);
        Assert.That(open.Content.Headers.ContentType!.ToString(), Does.StartWith("application/openmetrics-text; version=1.0.0"));
        Assert.That(await open.Content.ReadAsStringAsync(), Does.EndWith("# EOF\n"));
    }
}
