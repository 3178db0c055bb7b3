using System.Diagnostics;
using System.Globalization;
using System.Net;
using L4Balancer.Metrics;
using L4Balancer.Tests.Hosting;

namespace L4Balancer.Tests.Metrics;

/// <summary>Metrics of a process that can open nothing more, which is when they are wanted.</summary>
[Platform("Linux")]
[Category(DaemonProcess.Category)]
internal sealed class DescriptorShortageTests
{
    private const string Prlimit = "/usr/bin/prlimit";

    [Test]
    public async Task What_cannot_be_read_is_left_out_and_the_rest_is_there()
    {
        if (!File.Exists(Prlimit))
        {
            Assert.Ignore("prlimit (util-linux) is not installed");
        }

        await using var backend = new EchoPeer();
        await using DaemonProcess daemon = DaemonProcess.Run(OneBackend.Config(backend.Endpoint));
        await daemon.ReadyAsync();
        Uri metrics = await daemon.MetricsAsync();
        using var http = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = 1 });
        Assert.That(await http.GetStringAsync(metrics), Does.Contain("process_threads{} ").And.Contain("process_resident_memory_bytes{} "));

        // Its one connection stays open; the daemon can open none from now on, and no file.
        using (Process limit = Process.Start(Prlimit, ["--pid", daemon.Id.ToString(CultureInfo.InvariantCulture), "--nofile=3:"]))
        {
            await limit.WaitForExitAsync();
            Assert.That(limit.ExitCode, Is.Zero);
        }

        using HttpResponseMessage answer = await http.GetAsync(metrics);
        string text = await answer.Content.ReadAsStringAsync();
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK), text);
        Assert.That(text, Does.Not.Contain("\nprocess_threads{}").And.Not.Contain("\nprocess_resident_memory_bytes{}"));
        Assert.That(text, Does.Contain("process_cpu_seconds_total{} ").And.Contain("process_max_fds{} 3\n").And.Contain("l4balancer_backend_up{"));
    }

    [Test]
    public void A_value_that_cannot_be_read_is_no_measurement()
    {
        Assert.That(ProcessInstruments.Readable(static () => 7).Single().Value, Is.EqualTo(7));
        Assert.That(ProcessInstruments.Readable(static () => throw new IOException("no descriptor")), Is.Empty);
        Assert.That(ProcessInstruments.Readable(static () => throw new InvalidOperationException("process has exited")), Is.Empty);
    }
}
