using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Server.Kestrel.Core;
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

    /// <summary>
    /// A reader that takes an answer more slowly is cut off. The grace period holds for each write: large answers are written in pieces
    /// that take longer than it.
    /// </summary>
    public static MinDataRate SlowestReader { get; } = new(bytesPerSecond: 32 * 1024, gracePeriod: TimeSpan.FromSeconds(5));

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
