namespace L4Balancer.Web;

/// <summary>
/// A server of the control plane, whose sockets another process can take over: the one before pauses, the one after starts on the same sockets, and if that
/// fails the one before resumes. One caller at a time.
/// </summary>
internal interface IControlServer : IAsyncDisposable
{
    /// <summary>
    /// Answers no more, from its completion on: what is under way is finished, or cut off after a second. Clients that connect or ask wait in
    /// the kernel's queue.
    /// </summary>
    Task PauseAsync();

    /// <summary>Goes on, first with those that have waited.</summary>
    void Resume();
}
