using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using L4Balancer.Configuration;

namespace L4Balancer.Direct;

/// <summary>
/// The key of <c>[endpoint] secret_file</c>, and the tokens that it signs: <c>v1.</c>, the claims as base64url of JSON, a dot, and the
/// HMAC-SHA256 (RFC 2104) of all before that dot, as base64url (RFC 4648, 5) without padding. Any thread.
/// </summary>
internal sealed class EndpointSecret
{
    /// <summary>In bytes: as many as the hash has (RFC 2104, 3).</summary>
    public const int Shortest = 32;

    private const int Longest = 4096;
    private const string Version = "v1.";

    private readonly byte[] _key;

    private EndpointSecret(byte[] key) => _key = key;

    /// <summary>Reads the file: all of its bytes are the key. May block as long as its file system does.</summary>
    /// <param name="fault">Why there is no secret, with the remedy, if the result is null.</param>
    public static EndpointSecret? Read(string path, out string fault)
    {
        fault = "";
        try
        {
            byte[] key = PlainFile.Read(path, Longest);
            if (key.Length >= Shortest)
            {
                return new EndpointSecret(key);
            }

            fault = $"it has {key.Length} bytes, fewer than {Shortest}: make one with: openssl rand -hex 32";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            fault = $"it cannot be read by user {Environment.UserName} ({e.Message.TrimEnd('.')})";
        }

        return null;
    }

    /// <summary>A token for one backend.</summary>
    /// <param name="key">The key that the client asked with; empty if there was none.</param>
    public string TokenFor(string pool, string backend, string key, DateTimeOffset expires)
    {
        using var json = new MemoryStream();
        using (var writer = new Utf8JsonWriter(json))
        {
            writer.WriteStartObject();
            writer.WriteString("p", pool);
            writer.WriteString("b", backend);
            writer.WriteString("k", key);
            writer.WriteNumber("e", expires.ToUnixTimeSeconds());
            writer.WriteEndObject();
        }

        string signed = Version + Base64Url.EncodeToString(json.ToArray());
        return $"{signed}.{Base64Url.EncodeToString(HMACSHA256.HashData(_key, Encoding.ASCII.GetBytes(signed)))}";
    }
}
