using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace L4Balancer.Tests.Etcd;

/// <summary>A certificate authority with the certificates of a store on 127.0.0.1 and of its client, as files of PEM.</summary>
internal sealed class StoreCertificates : IDisposable
{
    private const string OfServer = "1.3.6.1.5.5.7.3.1";
    private const string OfClient = "1.3.6.1.5.5.7.3.2";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("l4balancer-test-");

    public StoreCertificates()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN=authority {Guid.NewGuid()}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        using X509Certificate2 authority = request.CreateSelfSigned(now.AddHours(-2), now.AddDays(2));
        File.WriteAllText(AuthorityFile, authority.ExportCertificatePem() + "\n");
        Issue(authority, "CN=store", OfServer, ServerFile, ServerKeyFile);
        Issue(authority, "CN=client", OfClient, ClientFile, ClientKeyFile);
    }

    public string AuthorityFile => In("ca.pem");

    public string ServerFile => In("server.pem");

    public string ServerKeyFile => In("server-key.pem");

    public string ClientFile => In("client.pem");

    public string ClientKeyFile => In("client-key.pem");

    public void Dispose() => _folder.Delete(recursive: true);

    private string In(string name) => Path.Combine(_folder.FullName, name);

    private static void Issue(X509Certificate2 authority, string name, string usage, string file, string keyFile)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());

        // The gateway connects to its own member with the server's certificate.
        OidCollection usages = [new Oid(OfClient)];
        if (usage != OfClient)
        {
            usages.Add(new Oid(usage));
        }

        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension(usages, false));
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        using X509Certificate2 issued = request.Create(authority, now.AddHours(-1), now.AddDays(1), Guid.NewGuid().ToByteArray());
        File.WriteAllText(file, issued.ExportCertificatePem() + "\n");
        File.WriteAllText(keyFile, key.ExportPkcs8PrivateKeyPem() + "\n");
    }
}
