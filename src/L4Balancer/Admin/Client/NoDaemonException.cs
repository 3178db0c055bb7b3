namespace L4Balancer.Admin.Client;

/// <summary>Nobody answers at the address. The message is one line and says the mend.</summary>
internal sealed class NoDaemonException(string message, Exception cause) : Exception(message, cause);
