using System.Collections;

namespace L4Balancer.Platform;

/// <summary>
/// OpenTelemetry, ASP.NET Core and .NET read settings from variables of their own (OTEL_SDK_DISABLED alone would take the metrics
/// away). What the daemon does is said in its configuration only, so they go before anything reads them. What the native runtime
/// has read by then concerns its own heap and compiler.
/// </summary>
internal static class FrameworkEnvironment
{
    private static readonly string[] Prefixes = ["OTEL_", "ASPNETCORE_", "DOTNET_"];

    /// <summary>For the start of the process, before there are other threads.</summary>
    public static void Forget()
    {
        foreach (DictionaryEntry entry in Environment.GetEnvironmentVariables())
        {
            var name = (string)entry.Key;
            if (Array.Exists(Prefixes, prefix => name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)))
            {
                Environment.SetEnvironmentVariable(name, null);
            }
        }
    }
}
