using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Routing;

namespace L4Balancer.Engine.Managed;

/// <summary>The engine on System.Net.Sockets and System.IO.Pipelines: any platform, and the reference for behaviour.</summary>
public sealed class ManagedEngine(EngineOptions options) : IEngine
{
    public string Name => "managed";

    public int Count => 0;

    public IReadOnlyList<Endpoint> Bound { get; private set; } = [];

    public IReadOnlyList<ListenFailure> Start(RoutingSnapshot snapshot) => options.Workers > 0 ? [] : [];

    public void Publish(RoutingSnapshot snapshot)
    {
    }

    public void List(ICollection<ConnectionRecord> records)
    {
    }

    public bool Close(ulong id, CloseReason reason) => false;

    public Task StopAsync(TimeSpan grace, CancellationToken atOnce) => Task.CompletedTask;

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
