using L4Balancer.Core.Accounting;

namespace L4Balancer.Core.Routing;

/// <summary>
/// The way of connect reports from connections to the control plane, which decides what they mean. One for the life of the process, in all its
/// snapshots, because a connection reports by the snapshot that it was accepted with. Any thread may call.
/// </summary>
public sealed class ConnectReports
{
    private volatile Action<BackendCell, ConnectNews>? _handler;

    /// <summary>
    /// Called on the thread that serves the connection, at most once a change: it neither blocks nor throws. Null: reports are dropped.
    /// </summary>
    public Action<BackendCell, ConnectNews>? Handler
    {
        get => _handler;
        set => _handler = value;
    }

    internal void Report(BackendCell backend, ConnectNews news) => _handler?.Invoke(backend, news);
}
