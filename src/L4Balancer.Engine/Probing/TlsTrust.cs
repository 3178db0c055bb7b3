using System.Globalization;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using L4Balancer.Core.Config;

namespace L4Balancer.Engine.Probing;

/// <summary>Which certificates the probes of one pool accept. Any thread may call.</summary>
internal sealed class TlsTrust
{
    /// <summary>id-kp-serverAuth, RFC 5280, 4.2.1.12.</summary>
    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";

    /// <summary>The last flag means that an authority of that name is trusted, but with another key.</summary>
    private const X509ChainStatusFlags NotTrusted =
        X509ChainStatusFlags.UntrustedRoot | X509ChainStatusFlags.PartialChain | X509ChainStatusFlags.NotSignatureValid;

    /// <summary>Accepts every certificate. The framework builds a chain nevertheless; this policy makes that cheap: no store is opened.</summary>
    private static readonly TlsTrust Anybody = new(
        verifies: false,
        new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
            VerificationFlags = X509VerificationFlags.AllFlags,
        });

    private readonly bool _verifies;

    private TlsTrust(bool verifies, X509ChainPolicy policy) => (_verifies, Policy) = (verifies, policy);

    /// <summary>The policy for chains; each handshake copies it.</summary>
    public X509ChainPolicy Policy { get; }

    public static TlsTrust Of(HealthSettings settings)
    {
        if (!settings.Verify)
        {
            return Anybody;
        }

        var policy = new X509ChainPolicy { RevocationMode = X509RevocationMode.NoCheck, DisableCertificateDownloads = true };
        policy.ApplicationPolicy.Add(new Oid(ServerAuthentication));
        if (settings.CaCertificates.Length > 0)
        {
            policy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            policy.CustomTrustStore.ImportFromPem(settings.CaCertificates);
        }

        return new TlsTrust(verifies: true, policy);
    }

    /// <returns>What is wrong with the certificate, in a few words; null if it is accepted.</returns>
    public string? WhyNot(X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors, string serverName)
    {
        if (!_verifies || errors == SslPolicyErrors.None)
        {
            return null;
        }

        if (certificate is not X509Certificate2 leaf)
        {
            return "no certificate";
        }

        X509ChainStatusFlags all = X509ChainStatusFlags.NoError;
        foreach (X509ChainElement element in chain?.ChainElements ?? Enumerable.Empty<X509ChainElement>())
        {
            foreach (X509ChainStatus status in element.ChainElementStatus)
            {
                if (status.Status == X509ChainStatusFlags.NotTimeValid)
                {
                    return Dates(element.Certificate, element.Certificate.Equals(leaf));
                }

                all |= status.Status;
            }
        }

        return errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch) ? $"certificate is not for {serverName}"
            : (all & NotTrusted) != 0
                ? leaf.SubjectName.RawData.AsSpan().SequenceEqual(leaf.IssuerName.RawData)
                    ? "certificate is self-signed and not trusted" : "certificate is not signed by a trusted authority"
            : $"certificate is not valid: {all}";
    }

    private static string Dates(X509Certificate2 certificate, bool isLeaf)
    {
        string which = isLeaf ? "certificate" : "certificate of its issuing authority";
        return certificate.NotAfter.ToUniversalTime() < DateTime.UtcNow
            ? string.Create(CultureInfo.InvariantCulture, $"{which} expired on {certificate.NotAfter.ToUniversalTime():yyyy-MM-dd}")
            : string.Create(CultureInfo.InvariantCulture, $"{which} is not valid before {certificate.NotBefore.ToUniversalTime():yyyy-MM-dd}");
    }
}
