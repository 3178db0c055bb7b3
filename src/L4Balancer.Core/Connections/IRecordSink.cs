namespace L4Balancer.Core.Connections;

/// <summary>
/// Receives the records of an engine. Called on the threads that relay bytes: an implementation copies the record and returns; it never
/// blocks and never throws.
/// </summary>
public interface IRecordSink
{
    /// <summary>A backend is connected; relaying begins.</summary>
    void Established(in ConnectionRecord record);

    /// <summary>The connection lives: between <see cref="Established"/> and <see cref="Ended"/>, as often as the engine is asked for it.</summary>
    /// <param name="record">As <see cref="ConnectionRecord.At"/> this time.</param>
    void Alive(in ConnectionRecord record)
    {
    }

    /// <summary>The connection is over, refused or closed; called exactly once for each accepted connection.</summary>
    void Ended(in ConnectionRecord record);
}
