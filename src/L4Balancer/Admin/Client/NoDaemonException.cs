namespace L4Balancer.Admin.Client;

/// <summary>No daemon answers at the address. The message is one line and includes the remedy.</summary>
internal sealed class NoDaemonException(string message, Exception cause) : Exception(message, cause);
