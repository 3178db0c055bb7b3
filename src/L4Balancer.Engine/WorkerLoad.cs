namespace L4Balancer.Engine;

/// <summary>What one event-loop thread has to do.</summary>
/// <param name="Connections">That it serves.</param>
/// <param name="CpuTime">That it has spent since it began.</param>
public readonly record struct WorkerLoad(int Worker, int Connections, TimeSpan CpuTime);
