namespace L4Balancer.Engine;

/// <summary>The load of one event-loop thread.</summary>
/// <param name="Connections">Connections that the thread serves.</param>
/// <param name="CpuTime">CPU time that the thread has used since it started.</param>
/// <param name="Stalls">Loop iterations that began more than 8 ms later than a timer required.</param>
/// <param name="Spliced">Bytes that the thread has moved with splice(2), so that they were not copied into its memory.</param>
public readonly record struct WorkerLoad(int Worker, int Connections, TimeSpan CpuTime, long Stalls = 0, long Spliced = 0);
