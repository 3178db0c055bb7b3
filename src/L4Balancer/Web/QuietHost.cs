using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Web;

/// <summary>Web applications inside of the daemon: no environment, no appsettings.json, no command line, no signals.</summary>
internal static class QuietHost
{
    /// <summary>What slow readers may hold up the end of the daemon.</summary>
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
