using System.Security.Cryptography;
using System.Text;

namespace L4Balancer.Admin.Access;

/// <summary>The bearer token of the admin API, or none. Only its hash is kept.</summary>
internal sealed class AccessToken
{
    private const int Longest = 4096;

    private readonly byte[]? _hash;

    private AccessToken(byte[]? hash) => _hash = hash;

    /// <summary>No token is configured; no request matches.</summary>
    public static AccessToken None { get; } = new(null);

    public bool Exists => _hash is not null;

    public static AccessToken Of(string token) => new(SHA256.HashData(Encoding.UTF8.GetBytes(token)));

    /// <summary>Reads the file; white space around the token (such as a line end) is ignored.</summary>
    /// <param name="warning">What is wrong with the file, with the remedy; null if it is fine.</param>
    public static AccessToken Read(string path, out string? warning)
    {
        warning = null;
        if (path.Length == 0)
        {
            return None;
        }

        try
        {
            using FileStream file = File.OpenRead(path);
            var text = new byte[Longest + 1];
            int length = file.ReadAtLeast(text, text.Length, throwOnEndOfStream: false);
            string token = Encoding.UTF8.GetString(text, 0, length).Trim();
            if (length > Longest || token.Length == 0 || token.Any(c => c is <= ' ' or > '~'))
            {
                warning = $"it must contain one word of printable ASCII, at most {Longest} bytes: write one (openssl rand -hex 32) and reload";
                return None;
            }

            if (!OperatingSystem.IsWindows() && File.GetUnixFileMode(file.SafeFileHandle).HasFlag(UnixFileMode.OtherRead))
            {
                warning = "everyone on this host can read it: chmod o-r";
            }

            return Of(token);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            warning = $"it cannot be read ({e.Message.TrimEnd('.')}): no token is accepted until a reload has read it";
            return None;
        }
    }

    /// <summary>Compares in constant time, which does not reveal the length.</summary>
    public bool Matches(string offered) =>
        _hash is not null && CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(offered)), _hash);
}
