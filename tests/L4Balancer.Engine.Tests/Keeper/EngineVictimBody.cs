using System.Globalization;
using System.Runtime.Versioning;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Epoll;
using L4Balancer.Engine.Keeper;
using L4Balancer.Engine.Ledger;
using L4Balancer.Engine.Tests.Contract;
using L4Balancer.Engine.Tests.Peers;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Engine.Tests.Keeper;

/// <summary>A process with a keeper, a ledger and an engine that is about to be killed, by way of Program.cs. It answers its port, and reads a line at the end.</summary>
[SupportedOSPlatform("linux")]
internal static class EngineVictimBody
{
    public const int Workers = 2;

    /// <param name="folder">Gets the keeper's socket, <c>keeper</c>, and the file <c>ledger</c>.</param>
    /// <param name="backend">The port of the only backend, on 127.0.0.1.</param>
    public static async Task RunAsync(string library, string folder, string backend)
    {
        KeeperCode.Use(library);
        KeeperProcess keeper = KeeperProcess.TryStart(Path.Combine(folder, "keeper"), TimeSpan.FromSeconds(60), out string? fault)
            ?? throw new InvalidOperationException(fault);
        using ConnectionLedger ledger = ConnectionLedger.TryCreate(
            Path.Combine(folder, "ledger"), LedgerShape.For(Workers, 1000, 256), LedgerWriter.Current(), generation: 1, nextId: 1, out fault)
            ?? throw new InvalidOperationException(fault);
        _ = ledger.Publish();
        await using var engine = new EpollEngine(new EngineOptions
        {
            Clock = TimeProvider.System,
            Records = new RecordedConnections(),
            Loggers = NullLoggerFactory.Instance,
            Workers = Workers,
            Ledger = ledger,
        });
        var pool = Settings.Pool() with
        {
            Backends = [new() { Name = "b0", Address = $"127.0.0.1:{backend}", Endpoint = Settings.Endpoint($"127.0.0.1:{backend}") }],
        };
        _ = engine.Start(RoutingSnapshot.Build(new(Settings.Config(pool, Settings.Listener("127.0.0.1:0")), 1000)));
        await Console.Out.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{engine.Bound[0].Port} {keeper.Id}"));
        await Console.Out.FlushAsync();
        _ = await Console.In.ReadLineAsync();
        keeper.Stop();
    }
}
