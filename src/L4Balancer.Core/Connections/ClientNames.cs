using L4Balancer.Core.Inspection;

namespace L4Balancer.Core.Connections;

/// <summary>What a client asked for, as text for logs and listings; of bounded length, because every living connection keeps it.</summary>
/// <param name="Sni">The server name of the ClientHello; null: none.</param>
/// <param name="Host">The host of the request; null: none.</param>
/// <param name="Key">The values of the named fields of <c>hash_key</c>; null: none, one is missing, or it is the server name or host alone.</param>
public sealed record ClientNames(string? Sni, string? Host, string? Key)
{
    /// <summary>How many bytes of each are kept.</summary>
    public const int Longest = 128;

    /// <param name="key">The key of the pool.</param>
    /// <param name="bytes">The key of the connection; empty if it is the tuple.</param>
    /// <returns>Null if there is nothing to keep.</returns>
    internal static ClientNames? Of(scoped in Inspected inspected, HashKey key, scoped ReadOnlySpan<byte> bytes)
    {
        string? sni = Text(inspected.Hello.ServerName);
        string? host = inspected.HasRequest ? Text(inspected.Request.Host) : null;
        string? values = bytes.IsEmpty ? null : key.Show(bytes, Longest);
        values = values == sni || values == host ? null : values;
        return sni is null && host is null && values is null ? null : new ClientNames(sni, host, values);
    }

    private static string? Text(scoped ReadOnlySpan<byte> bytes) => bytes.IsEmpty ? null : ShownText.Of(bytes, Longest);
}
