using System.Security.Cryptography.X509Certificates;
using L4Balancer.Core.Config;

namespace L4Balancer.Engine.Tests.Probing;

/// <summary>What a tls probe makes of a server's handshake and of its certificate.</summary>
public sealed class TlsProbeTests : ExchangeFixture
{
    private static HealthSettings Tls => Of(HealthType.Tls);

    [TestCase("", ExpectedResult = "")]
    [TestCase("chat.example.com", ExpectedResult = "chat.example.com")]
    [TestCase("chat.example.com:8443", ExpectedResult = "chat.example.com")]
    public async Task<string> A_handshake_is_enough_and_asks_for_the_name_that_is_no_IP_address(string host)
    {
        using X509Certificate2 certificate = Certificates.For("somebody.else", validTo: 0);
        await using var backend = new TalkingBackend(Quiet, certificate);

        Assert.That(Probe(backend, Tls with { Host = host }), Is.EqualTo(Success), "The certificate is not looked at.");
        return backend.NextName();
    }

    [Test]
    public async Task The_name_of_the_address_as_written_is_asked_for()
    {
        using X509Certificate2 certificate = Certificates.For("ws1.example");
        await using var backend = new TalkingBackend(Quiet, certificate);
        HealthSettings health = Tls with { Verify = true, CaCertificates = Certificates.Authority };

        Assert.That(Probe(backend, "ws1.example:" + backend.Endpoint.Port, health), Is.EqualTo(Success));
        Assert.That(backend.NextName(), Is.EqualTo("ws1.example"));
    }

    [Test]
    public async Task A_server_without_TLS_is_told_apart()
    {
        await using var backend = new TalkingBackend(stream => WebSocketServer.WriteAsync(stream, "HTTP/1.1 400 Bad Request\r\n\r\n").AsTask());
        Assert.That(Probe(backend, Tls), Is.EqualTo(Unfit("TLS: not a TLS server")));
    }

    [Test]
    public async Task A_server_that_closes_during_the_handshake_is_unfit()
    {
        await using var backend = new TalkingBackend(async stream =>
        {
            _ = await stream.ReadAsync(new byte[16 * 1024]);
        });
        Assert.That(Probe(backend, Tls), Is.EqualTo(Unfit("TLS: closed during the handshake")));
    }

    [Test]
    public async Task A_server_that_is_silent_in_the_handshake_is_unfit_when_the_timeout_has_passed()
    {
        await using var backend = new TalkingBackend(async stream => await stream.CopyToAsync(Stream.Null));
        Assert.That(Probe(backend, Tls with { Timeout = Short }), Is.EqualTo(Unfit("no TLS handshake within 200ms")));
    }

    [TestCase("chat.example.com", -1, 1, "chat.example.com", "")]
    [TestCase("chat.example.com", -1, 1, "other.example.com", "certificate is not for other.example.com")]
    [TestCase("127.0.0.1", -1, 1, "", "")]
    [TestCase("127.0.0.2", -1, 1, "", "certificate is not for 127.0.0.1")]
    [TestCase("chat.example.com", -9, -1, "chat.example.com", "certificate expired on ")]
    [TestCase("chat.example.com", 2, 9, "chat.example.com", "certificate is not valid before ")]
    public async Task Verify_checks_name_and_dates(string name, int from, int to, string host, string fault)
    {
        using X509Certificate2 certificate = Certificates.For(name, from, to);
        await using var backend = new TalkingBackend(Quiet, certificate);
        (_, string detail) = Probe(backend, Tls with { Host = host, Verify = true, CaCertificates = Certificates.Authority });

        Assert.That(detail, fault.Length == 0 ? Is.Empty : Does.StartWith(fault));
    }

    [Test]
    public async Task Verify_takes_the_authorities_of_the_file_and_no_others()
    {
        using X509Certificate2 certificate = Certificates.For("127.0.0.1");
        await using var backend = new TalkingBackend(Quiet, certificate);

        Assert.That(
            Probe(backend, Tls with { Verify = true, CaCertificates = Certificates.AnotherAuthority }),
            Is.EqualTo(Unfit("certificate is not signed by a trusted authority")));
    }

    [Test]
    public async Task Verify_without_a_file_asks_the_system_s_authorities()
    {
        using X509Certificate2 certificate = Certificates.For("127.0.0.1");
        await using var backend = new TalkingBackend(Quiet, certificate);

        Assert.That(Probe(backend, Tls with { Verify = true }), Is.EqualTo(Unfit("certificate is not signed by a trusted authority")));
    }

    [Test]
    public async Task Https_asks_over_TLS()
    {
        using X509Certificate2 certificate = Certificates.For("127.0.0.1");
        await using var backend = new TalkingBackend(TalkingBackend.Answering("HTTP/1.1 500 Oh\r\n\r\n"), certificate);

        Assert.That(Probe(backend, Of(HealthType.Https)), Is.EqualTo(Unfit("answered 500")));
    }

    private static async Task Quiet(Stream stream) => await stream.CopyToAsync(Stream.Null);
}
