namespace L4Balancer.Core.Connections;

/// <summary>Bytes sent that the peers have not acknowledged yet (SIOCOUTQ, tcp(7)); a FIN counts as one.</summary>
public readonly record struct SendQueues(int Client, int Backend);
