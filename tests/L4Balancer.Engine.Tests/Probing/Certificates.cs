using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace L4Balancer.Engine.Tests.Probing;

/// <summary>Certificates of servers, signed by an authority of the test's own.</summary>
internal static class Certificates
{
    private static readonly X509Certificate2 Issuer = CreateAuthority();

    /// <summary>The authority's own, as a file of PEM would hold it.</summary>
    public static string Authority => Issuer.ExportCertificatePem();

    public static string AnotherAuthority
    {
        get
        {
            using X509Certificate2 other = CreateAuthority();
            return other.ExportCertificatePem();
        }
    }

    /// <param name="name">A host name or an IP address.</param>
    public static X509Certificate2 For(string name, int validFrom = -1, int validTo = 1)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        if (IPAddress.TryParse(name, out IPAddress? address))
        {
            names.AddIpAddress(address);
        }
        else
        {
            names.AddDnsName(name);
        }

        request.CertificateExtensions.Add(names.Build());
        DateTimeOffset now = DateTimeOffset.UtcNow;
        using X509Certificate2 signed = request.Create(Issuer, now.AddDays(validFrom), now.AddDays(validTo), RandomNumberGenerator.GetBytes(8));
        return signed.CopyWithPrivateKey(key);
    }

    private static X509Certificate2 CreateAuthority()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=Authority of a test", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, critical: true));
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-30), DateTimeOffset.UtcNow.AddDays(30));
    }
}
