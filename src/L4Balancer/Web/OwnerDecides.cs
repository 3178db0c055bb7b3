using Microsoft.Extensions.Hosting;

namespace L4Balancer.Web;

/// <summary>The lifetime of a web application that its owner starts and stops. The framework's default would handle signals.</summary>
internal sealed class OwnerDecides : IHostLifetime
{
    public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
