using System.Diagnostics;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using L4Balancer.Tests.EndToEnd;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;

namespace L4Balancer.Tests.Direct;

/// <summary>The endpoint API over HTTPS, while its certificate is replaced.</summary>
internal sealed class EndpointTlsTests
{
    [Test]
    public async Task A_changed_certificate_is_in_force_without_a_reload_and_a_broken_one_never()
    {
        using var first = new BackendCertificate("first");
        using var second = new BackendCertificate("second");
        using var logs = new FakeLoggerProvider();
        using var loggers = new LoggerFactory([logs]);
        await using EndpointScene scene = await EndpointScene.StartAsync(
            $"cert_file = \"{first.CertificateFile}\"\nkey_file = \"{first.KeyFile}\"", "", loggers);
        Assert.That((await scene.GetAsync("/v1/endpoint?pool=chat")).GetProperty("pool").GetString(), Is.EqualTo("chat"));
        string before = await FingerprintAsync(scene.Url);
        string own = first.Fingerprint;

        File.WriteAllText(first.CertificateFile, "no certificate");
        await UntilAsync(
            () => Task.FromResult(logs.Collector.GetSnapshot().Any(l => l.Message.Contains("is not used", StringComparison.Ordinal))),
            "it is looked at");
        Assert.That(await FingerprintAsync(scene.Url), Is.EqualTo(before));
        File.Copy(second.KeyFile, first.KeyFile, overwrite: true);
        File.Copy(second.CertificateFile, first.CertificateFile, overwrite: true);
        await UntilAsync(async () => await FingerprintAsync(scene.Url) == second.Fingerprint, "the second certificate");
        Assert.That(before, Is.EqualTo(own));
    }

    [Test]
    public void A_key_of_another_certificate_is_an_error_at_the_start()
    {
        using var first = new BackendCertificate("first");
        using var second = new BackendCertificate("second");
        InvalidDataException? fault = Assert.ThrowsAsync<InvalidDataException>(
            () => EndpointScene.StartAsync($"cert_file = \"{first.CertificateFile}\"\nkey_file = \"{second.KeyFile}\""));

        Assert.That(fault!.Message, Does.StartWith("[endpoint] cert_file, key_file: "));
    }

    private static async Task UntilAsync(Func<Task<bool>> holds, string what)
    {
        var waited = Stopwatch.StartNew();
        while (!await holds())
        {
            Assert.That(waited.Elapsed, Is.LessThan(DaemonProcess.Deadline), what);
            await Task.Delay(20);
        }
    }

    private static async Task<string> FingerprintAsync(Uri url)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(url.Host, url.Port);
        string seen = "";
        await using var tls = new SslStream(client.GetStream(), leaveInnerStreamOpen: false, (_, certificate, _, _) =>
        {
            seen = certificate!.GetCertHashString(HashAlgorithmName.SHA256);
            return seen.Length > 0;
        });
        await tls.AuthenticateAsClientAsync("localhost");
        return seen;
    }
}
