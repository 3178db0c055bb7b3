using L4Balancer.AccessLog;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Engine;
using L4Balancer.Engine.Ledger;
using L4Balancer.Logging;
using L4Balancer.Metrics;
using L4Balancer.Platform;
using L4Balancer.Recovery;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Hosting;

/// <summary>The engine and what it writes to: the ledger, the access log and the histograms. One thread at a time.</summary>
internal sealed class DataPlane(ConnectionKeeper keeper, LogOutput output, TimeProvider clock, ILoggerFactory loggers, ILogger log) : IAsyncDisposable
{
    /// <summary>Without <c>held_memory</c> connections may hold this part of the memory for peers that do not read: an eighth.</summary>
    private const int ShareOfMemory = 8;

    private readonly OwnedResources _parts = new();
    private LivingLines? _living;

    /// <summary>Null before <see cref="CreateLedger"/>, and without a keeper.</summary>
    public ConnectionLedger? Ledger { get; private set; }

    /// <summary>Valid after <see cref="Start"/>, as is <see cref="Records"/>.</summary>
    public IEngine Engine { get; private set; } = null!;

    public RecordLog Records { get; private set; } = null!;

    /// <summary>Makes the ledger of this daemon, if it has a keeper. It is not valid before <see cref="Start"/>.</summary>
    /// <param name="nextId">The lowest id that no connection has had; 0: not known.</param>
    public ConnectionLedger? CreateLedger(DesiredState desired, RoutingSnapshot snapshot, DescriptorBudget budget, ulong nextId)
    {
        var shape = LedgerShape.For(DescriptorBudget.WorkersOf(desired.File.Balancer), snapshot.MaxConnections, budget.PipesPerWorker);
        Ledger = keeper.CreateLedger(shape, Math.Max(1, nextId), log);

        // Before it is published: from then on an heir takes what operators have set from this ledger, and not from those before.
        Ledger?.SetOverrides(desired.Overrides.All);
        return Ledger;
    }

    /// <param name="passed">Listening sockets that the service manager has passed.</param>
    /// <param name="takenOver">Listening sockets of the process before.</param>
    /// <param name="metrics">Null if nobody can ask for them.</param>
    /// <returns>The addresses that cannot be listened at; empty if the engine runs.</returns>
    public IReadOnlyList<ListenFailure> Start(
        BalancerSettings settings, DescriptorBudget budget, RoutingSnapshot snapshot, IReadOnlyList<int> passed,
        IReadOnlyList<ListeningDescriptor> takenOver, BalancerMetrics? metrics)
    {
        _parts.Own(Records = new RecordLog(settings, output, metrics?.Durations, clock, loggers.CreateLogger<RecordLog>()));
        _parts.Own(Engine = EngineChoice.Create(settings.Engine, new EngineOptions
        {
            Clock = clock,
            Records = Records,
            Loggers = loggers,
            Workers = DescriptorBudget.WorkersOf(settings),
            PipesPerWorker = budget.PipesPerWorker,
            Held = new HeldMemory(HeldMemoryOf(settings)),
            Ledger = Ledger,
            Inherited = passed,
            TakenOver = takenOver,
        }));
        IReadOnlyList<ListenFailure> failures = Engine.Start(snapshot);
        if (failures.Count == 0)
        {
            keeper.Publish(log);
            _parts.Own(_living = new LivingLines(Engine, settings.AccessLogEvery, clock, loggers.CreateLogger<LivingLines>()));
        }

        return failures;
    }

    /// <summary>Another configuration is in force.</summary>
    public void Reloaded(BalancerSettings settings)
    {
        Records.Apply(settings);
        _living!.Apply(settings.AccessLogEvery);
    }

    public ValueTask DisposeAsync() => _parts.DisposeAsync();

    // Known by the runtime as what the machine has, or the limit of its cgroup.
    private static long HeldMemoryOf(BalancerSettings settings) => settings.HeldMemory.Bytes > 0
        ? settings.HeldMemory.Bytes
        : GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / ShareOfMemory;
}
