using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using L4Balancer.Demo;

namespace L4Balancer.Tests.EndToEnd;

/// <summary>One backend's own certificate for localhost, at hand as an object and as the files that foreign servers read.</summary>
internal sealed class BackendCertificate : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("l4balancer-test-");

    public BackendCertificate()
    {
        Certificate = SelfSignedCertificate.Create(TimeProvider.System);
        File.WriteAllText(CertificateFile, Certificate.ExportCertificatePem() + "\n");
        File.WriteAllText(KeyFile, Certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem() + "\n");
    }

    public X509Certificate2 Certificate { get; }

    public string CertificateFile => Path.Combine(_folder.FullName, "certificate.pem");

    public string KeyFile => Path.Combine(_folder.FullName, "key.pem");

    /// <summary>SHA-256 in upper-case hex, as every peer reports it.</summary>
    public string Fingerprint => Certificate.GetCertHashString(System.Security.Cryptography.HashAlgorithmName.SHA256);

    /// <summary>Accepts exactly these certificates: nobody but us has signed them.</summary>
    public static RemoteCertificateValidationCallback Only(IEnumerable<BackendCertificate> certificates) => (_, seen, _, _) =>
        seen is not null && certificates.Any(c => c.Certificate.RawDataMemory.Span.SequenceEqual(seen.GetRawCertData()));

    public void Dispose()
    {
        Certificate.Dispose();
        _folder.Delete(recursive: true);
    }
}
