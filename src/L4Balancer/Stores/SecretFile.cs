using System.Text;

namespace L4Balancer.Stores;

/// <summary>
/// A token or a password of one line. The file is read again for each use: it is small, and a mounted secret is replaced through symbolic
/// links, whose own times do not change.
/// </summary>
internal static class SecretFile
{
    private const int Longest = 64 * 1024;

    /// <param name="path">Empty: the secret is empty.</param>
    /// <returns>The secret without its line break, or why there is none.</returns>
    public static StoreResult<string> Read(string path)
    {
        if (path.Length == 0)
        {
            return new("");
        }

        try
        {
            using FileStream file = File.OpenRead(path);
            var bytes = new byte[Longest + 1];
            int length = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            string secret = Encoding.UTF8.GetString(bytes, 0, length).Trim();
            return length > Longest || secret.Any(char.IsControl) || secret.Length == 0
                ? StoreResult<string>.Failed($"{path}: it is not one line of text") : new(secret);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return StoreResult<string>.Failed($"{path}: {e.Message}");
        }
    }
}
