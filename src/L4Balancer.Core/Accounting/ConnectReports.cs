namespace L4Balancer.Core.Accounting;

/// <summary>
/// Carries connect reports from connections to the control plane, which interprets them. One object for the life of the process, shared by
/// all snapshots, because connections outlive them. Any thread may call.
/// </summary>
public sealed class ConnectReports
{
    private volatile Action<BackendState, PassiveHealthEvent>? _handler;

    /// <summary>
    /// Called on the thread that serves the connection, at most once a change: must neither block nor throw. Null: reports are dropped.
    /// </summary>
    public Action<BackendState, PassiveHealthEvent>? Handler
    {
        get => _handler;
        set => _handler = value;
    }

    internal void Report(BackendState backend, PassiveHealthEvent news)
    {
        if (news != PassiveHealthEvent.None)
        {
            _handler?.Invoke(backend, news);
        }
    }
}
