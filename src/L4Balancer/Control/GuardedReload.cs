using Microsoft.Extensions.Logging;

namespace L4Balancer.Control;

/// <summary>A reload that nobody waits for: what it throws goes to the log.</summary>
internal static class GuardedReload
{
    /// <param name="reload">Its argument is the origin of the request, as <paramref name="who"/>.</param>
    /// <returns>Does not throw.</returns>
    public static async Task RunAsync(Func<string, Task> reload, string who, ILogger log)
    {
        try
        {
            await reload(who);
        }
        catch (ObjectDisposedException)
        {
            log.NotReloadedAtTheEnd(who);
        }
        catch (Exception e)
        {
            log.ReloadBroke(who, e);
        }
    }
}
