using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Web;

/// <summary>
/// Builder of web applications within the daemon: they ignore the environment, appsettings.json, the command line and signals.
/// </summary>
internal static class QuietHost
{
    /// <summary>Maximum time for which slow readers may delay the shutdown of the daemon.</summary>
    private static readonly TimeSpan StopWithin = TimeSpan.FromMilliseconds(200);

    public static WebApplicationBuilder CreateBuilder(ILoggerFactory loggers)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton(loggers);
        builder.Services.AddSingleton<IHostLifetime, OwnerDecides>();
        return builder;
    }

    public static async ValueTask EndAsync(WebApplication app)
    {
        using var soon = new CancellationTokenSource(StopWithin);
        await app.StopAsync(soon.Token);
        await app.DisposeAsync();
    }
}
