using L4Balancer.Core.Addressing;

namespace L4Balancer.Engine;

/// <summary>
/// A socket that listens, for another process that is to listen on it too (<see cref="EngineOptions.TakenOver"/>): it gets a duplicate of the
/// descriptor.
/// </summary>
/// <param name="Descriptor">The number of the descriptor in this process.</param>
/// <param name="Listener">The name of its listener; empty if it is not known, so that only the address counts.</param>
/// <param name="Requested">The address as in the configuration, possibly with port 0.</param>
/// <param name="Bound">The address that it listens on.</param>
/// <param name="IsFromService">
/// The service manager (systemd) made it and listens as well: it is never closed while its pool is down, and its file is not removed.
/// </param>
public readonly record struct ListeningDescriptor(int Descriptor, string Listener, Endpoint Requested, Endpoint Bound, bool IsFromService);
