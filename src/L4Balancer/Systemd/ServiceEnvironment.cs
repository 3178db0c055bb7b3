namespace L4Balancer.Systemd;

/// <summary>What systemd tells a service by its environment (systemd.exec(5)).</summary>
internal static class ServiceEnvironment
{
    /// <summary>
    /// Whether standard output goes to the journal. JOURNAL_STREAM holds the device and inode of that stream; comparing them would
    /// take fstat(2), and a shell that inherited the variable is told apart well enough by INVOCATION_ID or NOTIFY_SOCKET and a
    /// standard output that is no terminal.
    /// </summary>
    public static bool OutputIsJournal(Func<string, string?> variable, bool outputIsRedirected) =>
        outputIsRedirected
        && !string.IsNullOrEmpty(variable("JOURNAL_STREAM"))
        && (!string.IsNullOrEmpty(variable("INVOCATION_ID")) || !string.IsNullOrEmpty(variable(SystemdNotifier.Variable)));
}
