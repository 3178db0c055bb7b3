using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace L4Balancer.Configuration;

/// <summary>A file of PEM certificates that the configuration refers to.</summary>
internal static class CertificateFile
{
    /// <summary>Four times the size of all authorities that browsers trust.</summary>
    private const int LargestFile = 1024 * 1024;

    /// <summary>Reads the whole file.</summary>
    /// <returns>Why it cannot be used, with how to correct it; null if <paramref name="pem"/> holds at least one certificate.</returns>
    public static string? Read(string path, out string pem)
    {
        pem = "";
        try
        {
            if (PlainFile.WhyNot(path) is string notPlain)
            {
                return $"\"{path}\" cannot be read: {notPlain}";
            }

            using FileStream file = File.OpenRead(path);
            var all = new byte[LargestFile + 1];
            int count = file.ReadAtLeast(all, all.Length, throwOnEndOfStream: false);
            if (count > LargestFile)
            {
                return $"\"{path}\" is larger than {LargestFile / 1024} KiB: specify a file of PEM certificates";
            }

            pem = Encoding.UTF8.GetString(all.AsSpan(0, count));
            X509Certificate2Collection certificates = [];
            certificates.ImportFromPem(pem);
            foreach (X509Certificate2 certificate in certificates)
            {
                certificate.Dispose();
            }

            return certificates.Count > 0 ? null : $"\"{path}\" contains no PEM certificate (-----BEGIN CERTIFICATE-----)";
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return $"\"{path}\": no such file";
        }
        catch (UnauthorizedAccessException)
        {
            string hint = Directory.Exists(path) ? "it is a directory: specify the file in it" : $"give the user {Environment.UserName} read permission";
            return $"\"{path}\" cannot be read: {hint}";
        }
        catch (IOException e)
        {
            return $"\"{path}\" cannot be read: {e.Message}";
        }
        catch (CryptographicException e)
        {
            return $"\"{path}\" contains an invalid certificate: {e.Message}";
        }
    }
}
