namespace L4Balancer.Core.Accounting;

/// <summary>The published names of <see cref="CloseReason"/>, as used in metrics, the access log and the API.</summary>
public static class CloseReasons
{
    private static readonly string[] Names =
    [
        "none", "client_closed", "backend_closed", "client_reset", "backend_reset", "client_timeout", "backend_timeout", "idle_timeout",
        "half_close_timeout", "max_age", "backend_removed", "connect_failed", "connect_timeout", "no_backend", "source_ports_exhausted",
        "inspect_timeout", "inspect_invalid",
        "proxy_header_invalid", "denied", "limit", "drain", "rebalance", "backend_down", "admin", "shutdown", "internal",
    ];

    public static int Count => Names.Length;

    /// <summary>The reasons of closes at a limited rate; <c>connections_shed_total</c> counts these.</summary>
    public static IReadOnlyList<CloseReason> Paced { get; } =
    [
        CloseReason.Drain, CloseReason.Rebalance, CloseReason.BackendDown, CloseReason.BackendRemoved, CloseReason.MaxAge, CloseReason.Admin,
        CloseReason.Shutdown,
    ];

    public static bool IsPaced(this CloseReason reason) =>
        reason is CloseReason.Drain or CloseReason.Rebalance or CloseReason.BackendDown or CloseReason.BackendRemoved or CloseReason.MaxAge
            or CloseReason.Admin or CloseReason.Shutdown;

    public static string Name(this CloseReason reason) => Names[(int)reason];

    /// <summary>Whether the reason is a normal end that needs no investigation.</summary>
    public static bool IsOrdinary(this CloseReason reason) => reason is CloseReason.ClientClosed or CloseReason.BackendClosed;
}
