using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace L4Balancer.Stores;

/// <summary>
/// The certificates of a <see cref="StoreAccess"/> as they were in their files at one time. Immutable; disposed after its connections.
/// </summary>
internal sealed class StoreTls : IDisposable
{
    private readonly byte[][] _content;
    private readonly X509Certificate2Collection _authorities = [];
    private readonly X509Certificate2Collection _chain = [];
    private readonly X509Certificate2? _own;

    private StoreTls(StoreAccess access, byte[][] content)
    {
        _content = content;
        if (access.CaFile.Length > 0)
        {
            _authorities.ImportFromPemFile(access.CaFile);
            Require(_authorities.Count > 0, $"{access.CaFile}: it has no certificate in PEM");
        }

        if (access.CertFile.Length > 0)
        {
            _chain.ImportFromPemFile(access.CertFile);
            _own = X509Certificate2.CreateFromPemFile(access.CertFile, access.KeyFile.Length > 0 ? access.KeyFile : access.CertFile);
        }
    }

    /// <summary>The certificates that are in the files now, or why they cannot be used.</summary>
    /// <param name="before">Returned itself if nothing has changed since.</param>
    public static StoreResult<StoreTls> Read(StoreAccess access, StoreTls? before)
    {
        string at = "";
        try
        {
            List<byte[]> content = [];
            foreach (string path in (string[])[access.CaFile, access.CertFile, access.KeyFile])
            {
                at = path;
                content.Add(path.Length == 0 ? [] : File.ReadAllBytes(path));
            }

            bool same = before is not null && before._content.Zip(content).All(p => p.First.AsSpan().SequenceEqual(p.Second));
            at = access.CertFile.Length > 0 ? access.CertFile : access.CaFile;
            return new(same ? before! : new StoreTls(access, [.. content]));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            return StoreResult<StoreTls>.Failed(e.Message.Contains(at, StringComparison.Ordinal) ? e.Message : $"{at}: {e.Message}");
        }
    }

    /// <summary>What a handler needs; the host name is checked in any case.</summary>
    public SslClientAuthenticationOptions ToOptions()
    {
        var options = new SslClientAuthenticationOptions();
        if (_authorities.Count > 0)
        {
            var policy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
            };
            policy.CustomTrustStore.AddRange(_authorities);
            options.CertificateChainPolicy = policy;
        }

        if (_own is not null)
        {
            options.ClientCertificateContext = SslStreamCertificateContext.Create(_own, _chain, offline: true);
        }

        return options;
    }

    public void Dispose()
    {
        _own?.Dispose();
        foreach (X509Certificate2 certificate in _authorities.Concat(_chain))
        {
            certificate.Dispose();
        }
    }

    private static void Require(bool condition, string otherwise)
    {
        if (!condition)
        {
            throw new CryptographicException(otherwise);
        }
    }
}
