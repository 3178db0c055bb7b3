namespace L4Balancer.Core.Connections;

/// <summary>
/// Where an engine sends its records. Called on the threads that move bytes: an implementation copies and returns, it never blocks
/// and never throws.
/// </summary>
public interface IRecordSink
{
    /// <summary>A backend is connected; bytes begin to flow.</summary>
    void Established(in ConnectionRecord record);

    /// <summary>The connection is over, refused or closed; exactly once for each accepted connection.</summary>
    void Ended(in ConnectionRecord record);
}
