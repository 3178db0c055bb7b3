using System.Text;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Config;

/// <summary>The tables about the daemon itself: <c>[balancer]</c>, <c>[admin]</c> and <c>[metrics]</c>.</summary>
internal static class BalancerBinding
{
    private const string ListenForm = "an IP address with a port, like \"127.0.0.1:9180\", or \"\"";

    /// <summary>sun_path holds 108 bytes, including the terminating zero (unix(7)).</summary>
    private const int LongestSocketPath = 107;

    /// <summary>PATH_MAX, including the terminating zero (limits.h).</summary>
    private const int LongestPath = 4095;

    private static readonly BalancerSettings Defaults = new();

    public static BalancerSettings Bind(TableBinder table) => new()
    {
        Workers = table.Integer("workers", Defaults.Workers, 0, 1024),
        Engine = table.Choice("engine", Defaults.Engine, Vocabulary.Engine),
        MaxConnections = table.Integer("max_connections", Defaults.MaxConnections, 0, int.MaxValue),
        HeldMemory = table.Size("held_memory", Defaults.HeldMemory, 1L << 20, 1L << 50),
        ShutdownDelay = table.Duration("shutdown_delay", Defaults.ShutdownDelay, TimeSpan.Zero, Duration.LongestMilliseconds),
        ShutdownGrace = table.Duration("shutdown_grace", Defaults.ShutdownGrace, TimeSpan.Zero, Duration.Longest),
        AccessLog = table.Choice("access_log", Defaults.AccessLog, Vocabulary.AccessLog),
        LogFormat = table.Choice("log_format", Defaults.LogFormat, Vocabulary.LogFormat),
        LogLevel = table.Choice("log_level", Defaults.LogLevel, Vocabulary.LogLevel),
    };

    public static MetricsSettings BindMetrics(TableBinder table, BoundAddresses bound)
    {
        MetricsSettings metrics = new();
        if (!table.TryGet("listen", out Setting listen))
        {
            bound.Add(metrics.Listen, table.Whole);
        }
        else if (listen.TryEndpoint(0, out Endpoint endpoint))
        {
            metrics = metrics with { Listen = endpoint };
            bound.Add(endpoint, listen);
        }

        return table.TryGet("otlp", out Setting otlp) && TryOtlp(otlp, out Uri? collector) ? metrics with { Otlp = collector } : metrics;
    }

    public static AdminSettings BindAdmin(TableBinder table, BoundAddresses bound)
    {
        AdminSettings admin = new()
        {
            Socket = Path(table, "socket", AdminSettings.DefaultSocket, LongestSocketPath),
            TokenFile = Path(table, "token_file", "", LongestPath),
        };
        if (table.TryGet("listen", out Setting listen) && listen.TryText(ListenForm, out string text) && text.Length > 0
            && listen.TryEndpoint(0, out Endpoint endpoint))
        {
            admin = admin with { Listen = endpoint };
            bound.Add(endpoint, listen);
        }

        return admin;
    }

    // Empty, or the URL of a collector: OTLP over gRPC, by convention on port 4317.
    private static bool TryOtlp(Setting setting, out Uri? collector)
    {
        collector = null;
        const string Form = "the URL of a collector, like \"http://127.0.0.1:4317\", or \"\"";
        return setting.TryText(Form, out string text)
            && (text.Length == 0
                || (Uri.TryCreate(text, UriKind.Absolute, out collector) && collector.Scheme is "http" or "https")
                || setting.Reject($"{Quoted.Text(text)} is not {Form}"));
    }

    private static string Path(TableBinder table, string key, string fallback, int longest)
    {
        if (!table.TryGet(key, out Setting setting) || !setting.TryText("a path, like \"/run/l4balancer/admin.sock\"", out string path))
        {
            return fallback;
        }

        if (path.Length > 0 && (path[0] != '/' || path.Contains('\0') || Encoding.UTF8.GetByteCount(path) > longest))
        {
            setting.Reject($"{Quoted.Text(path)} is not a path; allowed: an absolute path of at most {longest} bytes");
        }

        return path;
    }
}
