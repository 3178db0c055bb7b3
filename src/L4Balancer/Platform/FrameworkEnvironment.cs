using System.Collections;

namespace L4Balancer.Platform;

/// <summary>
/// OpenTelemetry, ASP.NET Core and .NET read settings from environment variables (OTEL_SDK_DISABLED, for example, would disable the
/// metrics). The daemon is configured only by its file, so these variables are removed before anything reads them. Variables that the
/// native runtime has already read affect only its heap and compiler.
/// </summary>
internal static class FrameworkEnvironment
{
    private static readonly string[] Prefixes = ["OTEL_", "ASPNETCORE_", "DOTNET_"];

    /// <summary>Must be called at the start of the process, before there are other threads.</summary>
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
