using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace L4Balancer.Tests.EndToEnd;

/// <summary>One backend's own self-signed certificate for localhost, at hand as an object and as the files that foreign peers read.</summary>
internal sealed class BackendCertificate : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("l4balancer-test-");

    /// <param name="backend">Becomes the subject: OpenSSL looks an issuer up by name, and takes the first of two that are named alike.</param>
    public BackendCertificate(string backend)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={backend}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        Certificate = request.CreateSelfSigned(now.AddHours(-1), now.AddDays(1));
        File.WriteAllText(CertificateFile, Certificate.ExportCertificatePem() + "\n");
        File.WriteAllText(KeyFile, key.ExportPkcs8PrivateKeyPem() + "\n");
    }

    public X509Certificate2 Certificate { get; }

    public string CertificateFile => Path.Combine(_folder.FullName, "certificate.pem");

    public string KeyFile => Path.Combine(_folder.FullName, "key.pem");

    /// <summary>SHA-256 in upper-case hex, as every peer reports it.</summary>
    public string Fingerprint => Certificate.GetCertHashString(HashAlgorithmName.SHA256);

    /// <summary>Accepts exactly these certificates: nobody but us has signed them.</summary>
    public static RemoteCertificateValidationCallback Only(IEnumerable<BackendCertificate> certificates) => (_, seen, _, _) =>
        seen is not null && certificates.Any(c => c.Certificate.RawDataMemory.Span.SequenceEqual(seen.GetRawCertData()));

    public void Dispose()
    {
        Certificate.Dispose();
        _folder.Delete(recursive: true);
    }
}
