using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using L4Balancer.Configuration;
using L4Balancer.Core.Config;
using L4Balancer.Web;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Direct;

/// <summary>
/// The certificate of <c>[endpoint] cert_file</c> and <c>key_file</c>, read again when one of the files has changed; one that cannot be used
/// leaves the one before in force. <see cref="Current"/> may be read by any thread.
/// </summary>
internal sealed class EndpointCertificate
{
    private const int LargestFile = 1024 * 1024;

    private readonly string _certFile;
    private readonly string _keyFile;
    private readonly ILogger _log;
    private readonly PacedNotice _notice;
    private volatile SslStreamCertificateContext _current;
    private object? _certStamp;
    private object? _keyStamp;

    private EndpointCertificate(EndpointSettings settings, SslStreamCertificateContext first, TimeProvider clock, ILogger log)
    {
        _certFile = settings.CertFile;
        _keyFile = settings.KeyFile;
        _current = first;
        _log = log;
        _notice = new PacedNotice(clock);
    }

    public SslStreamCertificateContext Current => _current;

    /// <summary>May block as long as the file system does.</summary>
    /// <param name="fault">Why there is no certificate, with the remedy, if the result is null.</param>
    public static EndpointCertificate? Read(EndpointSettings settings, TimeProvider clock, ILogger log, out string fault)
    {
        (object? cert, object? key) = (ConfigFile.StampOf(settings.CertFile), ConfigFile.StampOf(settings.KeyFile));
        return TryRead(settings.CertFile, settings.KeyFile, out fault) is { } first
            ? new EndpointCertificate(settings, first, clock, log) { _certStamp = cert, _keyStamp = key } : null;
    }

    /// <summary>Reads the files again if one of them has changed. One thread at a time; may block as long as the file system does.</summary>
    public void Refresh()
    {
        (object? cert, object? key) = (ConfigFile.StampOf(_certFile), ConfigFile.StampOf(_keyFile));
        if (Equals(cert, _certStamp) && Equals(key, _keyStamp))
        {
            return;
        }

        // While only one of the two is new they do not fit each other; the next call tries again.
        if (TryRead(_certFile, _keyFile, out string fault) is { } read)
        {
            (_current, _certStamp, _keyStamp) = (read, cert, key);
            _log.EndpointCertificateRead(_certFile, read.TargetCertificate.NotAfter.ToUniversalTime());
        }
        else if (_notice.MayLog(out _))
        {
            _log.EndpointCertificateFault(fault);
        }
    }

    private static SslStreamCertificateContext? TryRead(string certFile, string keyFile, out string fault)
    {
        string file = certFile;
        fault = "";
        try
        {
            string certificates = Encoding.UTF8.GetString(PlainFile.Read(certFile, LargestFile));
            file = keyFile;
            string key = Encoding.UTF8.GetString(PlainFile.Read(keyFile, LargestFile));
            file = $"{certFile}, {keyFile}";
            var leaf = X509Certificate2.CreateFromPem(certificates, key);
            X509Certificate2Collection chain = [];
            chain.ImportFromPem(certificates);
            chain.RemoveAt(0);
            return SslStreamCertificateContext.Create(leaf, chain, offline: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
        {
            fault = $"{file}: {e.Message.TrimEnd('.').ReplaceLineEndings(" ")}; PEM of a certificate and its key, without a password, is needed";
            return null;
        }
    }
}
