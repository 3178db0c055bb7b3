namespace L4Balancer.Core.Config;

/// <summary>The table <c>[balancer]</c>.</summary>
public sealed record BalancerSettings
{
    /// <summary>Number of event-loop threads; 0 means one per available processor.</summary>
    public int Workers { get; init; }

    public EngineKind Engine { get; init; } = EngineKind.Auto;

    /// <summary>Maximum number of connections; 0 means as many as the descriptor limit allows after the reserve.</summary>
    public int MaxConnections { get; init; }

    /// <summary>
    /// Maximum memory that all connections together hold for peers that do not read; 0 means an eighth of what the machine or the
    /// container has.
    /// </summary>
    public ByteSize HeldMemory { get; init; }

    /// <summary>
    /// Time after the stop signal during which the daemon reports not ready but still accepts connections; zero means none.
    /// </summary>
    public TimeSpan ShutdownDelay { get; init; }

    /// <summary>Time over which established connections are closed at shutdown; zero means all at once.</summary>
    public TimeSpan ShutdownGrace { get; init; } = TimeSpan.FromSeconds(30);

    public AccessLogMode AccessLog { get; init; } = AccessLogMode.Failures;

    /// <summary>Whether a line is also written when a connection is established.</summary>
    public bool AccessLogStart { get; init; }

    /// <summary>How often a line is written for each established connection; zero means never.</summary>
    public TimeSpan AccessLogEvery { get; init; }

    /// <summary>Null means text, or journal under systemd.</summary>
    public LogFormat? LogFormat { get; init; }

    public LogLevel LogLevel { get; init; } = LogLevel.Info;

    /// <summary>Whether connections outlive a crash of the daemon, where that is possible (Linux, epoll engine, local admin socket).</summary>
    public bool Keeper { get; init; } = true;

    /// <summary>How long they wait for the next daemon.</summary>
    public TimeSpan KeeperTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Whether the configuration is read again when its file changes on disk.</summary>
    public bool Watch { get; init; }

    /// <summary>
    /// Path of the file that keeps what operators set at run time over a restart; empty means in the state directory of the service, if it has one.
    /// </summary>
    public string StateFile { get; init; } = "";
}

/// <summary><c>[balancer]</c>.</summary>
internal static class BalancerBinding
{
    private static readonly BalancerSettings Defaults = new();

    /// <summary>A restart takes a fraction of it, or with the unit little more than that.</summary>
    private static readonly TimeSpan ShortestKeeper = TimeSpan.FromSeconds(1);

    /// <summary>Its listening ports stay in use during this time.</summary>
    private static readonly TimeSpan LongestKeeper = TimeSpan.FromHours(1);

    private static readonly TimeSpan ShortestLogInterval = TimeSpan.FromSeconds(1);

    public static BalancerSettings Bind(TableBinder table)
    {
        BalancerSettings settings = Read(table);
        if (settings.AccessLog == AccessLogMode.Off)
        {
            ReportWithoutLog(table, "access_log_start", settings.AccessLogStart);
            ReportWithoutLog(table, "access_log_every", settings.AccessLogEvery > TimeSpan.Zero);
        }

        return settings;
    }

    private static BalancerSettings Read(TableBinder table) => new()
    {
        Workers = table.Integer("workers", Defaults.Workers, 0, 1024),
        Engine = table.Choice("engine", Defaults.Engine, Vocabulary.Engine),
        MaxConnections = table.Integer("max_connections", Defaults.MaxConnections, 0, int.MaxValue),
        HeldMemory = table.Size("held_memory", Defaults.HeldMemory, 1L << 20, 1L << 50),
        ShutdownDelay = table.Duration("shutdown_delay", Defaults.ShutdownDelay, TimeSpan.Zero, Duration.LongestMilliseconds),
        ShutdownGrace = table.Duration("shutdown_grace", Defaults.ShutdownGrace, TimeSpan.Zero, Duration.Longest),
        AccessLog = table.Choice("access_log", Defaults.AccessLog, Vocabulary.AccessLog),
        AccessLogStart = table.Boolean("access_log_start", Defaults.AccessLogStart),
        AccessLogEvery = BindInterval(table),
        LogFormat = table.Choice("log_format", Defaults.LogFormat, Vocabulary.LogFormat),
        LogLevel = table.Choice("log_level", Defaults.LogLevel, Vocabulary.LogLevel),
        Keeper = table.Boolean("keeper", Defaults.Keeper),
        KeeperTimeout = table.Duration("keeper_timeout", Defaults.KeeperTimeout, ShortestKeeper, LongestKeeper),
        Watch = table.Boolean("watch", Defaults.Watch),
        StateFile = AdminBinding.Path(table, "state_file", Defaults.StateFile, AdminBinding.LongestPath, "/var/lib/l4balancer/state.json"),
    };

    private static TimeSpan BindInterval(TableBinder table)
    {
        TimeSpan interval = table.Duration("access_log_every", Defaults.AccessLogEvery, TimeSpan.Zero, Duration.LongestMilliseconds);
        if (interval > TimeSpan.Zero && interval < ShortestLogInterval && table.TryGet("access_log_every", out Setting setting))
        {
            string allowed = $"\"0s\", or \"{Duration.Format(ShortestLogInterval)}\" to \"{Duration.Format(Duration.LongestMilliseconds)}\"";
            setting.Reject($"\"{Duration.Format(interval)}\" is out of range; allowed: {allowed}");
        }

        return interval;
    }

    private static void ReportWithoutLog(TableBinder table, string key, bool isSet)
    {
        if (isSet && table.TryGet(key, out Setting setting))
        {
            setting.Reject("has no effect, because access_log = \"off\"; set access_log to \"failures\" or \"all\", or leave it out");
        }
    }
}
