using L4Balancer.Core.Addressing;

namespace L4Balancer.Engine.Loop;

/// <summary>An accepted socket on its way to the thread that will serve it.</summary>
internal readonly record struct Handover(int Descriptor, Endpoint Peer, LoopListeningSocket Listening);
