using System.Security.Cryptography;
using System.Text;
using L4Balancer.Configuration;

namespace L4Balancer.Admin.Access;

/// <summary>The bearer token of the admin API, or none. Only its hash is kept.</summary>
internal sealed class AccessToken
{
    /// <summary>In characters. A shorter token could be guessed.</summary>
    public const int Shortest = 16;

    private const int Longest = 4096;
    private const string HowToMakeOne = "make one with: openssl rand -hex 32";

    private readonly byte[]? _hash;

    private AccessToken(byte[]? hash, string? fault = null)
    {
        _hash = hash;
        Fault = fault;
    }

    /// <summary>No token is configured; no request matches.</summary>
    public static AccessToken None { get; } = new(null);

    public bool Exists => _hash is not null;

    /// <summary>Why there is none although a file is configured, to follow "is configured but"; null if there is one or no file.</summary>
    public string? Fault { get; }

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
            if (PlainFile.WhyNot(path) is string notPlain)
            {
                warning = $"{notPlain}; no token is accepted until a reload has read one";
                return new AccessToken(null, "is not a regular file");
            }

            using FileStream file = File.OpenRead(path);
            var text = new byte[Longest + 1];
            int length = file.ReadAtLeast(text, text.Length, throwOnEndOfStream: false);
            string token = Encoding.UTF8.GetString(text, 0, length).Trim();
            if (length > Longest || token.Length == 0 || token.Any(c => c is <= ' ' or > '~'))
            {
                warning = $"it must contain one word of printable ASCII, {Shortest} to {Longest} characters: no token is accepted; "
                    + $"{HowToMakeOne}, and reload";
                return new AccessToken(null, "contains no token");
            }

            if (token.Length < Shortest)
            {
                warning = $"the token has {token.Length} characters, fewer than {Shortest}, and is not accepted: "
                    + $"{HowToMakeOne}, and reload";
                return new AccessToken(null, $"its token has fewer than {Shortest} characters");
            }

            warning = OperatingSystem.IsWindows() ? null : WarningOf(File.GetUnixFileMode(file.SafeFileHandle));
            return Of(token);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            warning = $"it cannot be read by user {Environment.UserName} ({e.Message.TrimEnd('.')}): no token is accepted until a reload "
                + "has read it. For the packaged service: chown root:l4balancer, chmod 640";
            return new AccessToken(null, "cannot be read");
        }
    }

    /// <summary>Compares in constant time, which does not reveal the length.</summary>
    public bool Matches(string offered) =>
        _hash is not null && CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(offered)), _hash);

    // Reading is for the group of the service; a user who may write the file could replace the token.
    private static string? WarningOf(UnixFileMode mode)
    {
        (UnixFileMode Bit, string Who, string Remedy)[] excess =
        [
            (UnixFileMode.OtherRead, "everyone on this host can read it", "o-r"),
            (UnixFileMode.OtherWrite, "everyone on this host can write it", "o-w"),
            (UnixFileMode.GroupWrite, "its group can write it", "g-w"),
        ];
        var found = excess.Where(e => mode.HasFlag(e.Bit)).ToArray();
        return found.Length == 0
            ? null
            : $"{string.Join(", ", found.Select(e => e.Who))}: chmod {string.Join(',', found.Select(e => e.Remedy))}";
    }
}
