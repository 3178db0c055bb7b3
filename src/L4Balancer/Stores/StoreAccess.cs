namespace L4Balancer.Stores;

/// <summary>
/// Who the daemon is for a store, and whom it believes to be the store: paths of files and a user name, all empty where not used.
/// </summary>
internal sealed record StoreAccess
{
    /// <summary>A file with a token, without the line break at its end.</summary>
    public string TokenFile { get; init; } = "";

    /// <summary>PEM: the certificate authorities that may have signed the store's certificate; empty for those of the system.</summary>
    public string CaFile { get; init; } = "";

    /// <summary>PEM: the client certificate, with what stands between it and its authority behind it.</summary>
    public string CertFile { get; init; } = "";

    /// <summary>PEM: the private key of the client certificate.</summary>
    public string KeyFile { get; init; } = "";

    public string User { get; init; } = "";

    public string PasswordFile { get; init; } = "";
}
