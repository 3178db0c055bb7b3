using Microsoft.Extensions.Hosting;

namespace L4Balancer.Web;

/// <summary>The lifetime of a web application whose owner starts and stops it. The framework's own would take the signals.</summary>
internal sealed class OwnerDecides : IHostLifetime
{
    public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
