using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Tests.Peers;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using LogLevel = Microsoft.Extensions.Logging.LogLevel;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>An exception in what an engine is given (record sink, log, clock) ends one connection at most, and never the engine.</summary>
[Parallelizable(ParallelScope.All)]
internal abstract class FaultContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    [Test]
    public async Task A_sink_that_takes_no_record_costs_no_connection()
    {
        TestBackend backend = Backend();
        await using IEngine engine = StartWith(backend, o => o with { Records = new ThrowingSink() }, out RoutingSnapshot snapshot);
        for (int i = 0; i < 5; i++)
        {
            (Peer client, Peer server) = await OpenAsync(engine, backend);
            await FinishAsync(client, server);
        }

        await Patience.Until(() => engine.Count == 0 && snapshot.State.Open == 0, "all have ended");
        Assert.That(snapshot.Pools[0].Backends[0].State.Closed[CloseReason.ClientClosed], Is.EqualTo(5));
        await engine.StopAsync(TimeSpan.FromMinutes(1), CancellationToken.None).Soon();
    }

    [Test]
    public async Task A_log_that_cannot_be_written_while_a_fault_is_handled_costs_that_connection_only()
    {
        TestBackend backend = Backend();
        var records = new RecordedConnections(r =>
        {
            if (r.Id % 2 == 0)
            {
                throw new InvalidOperationException("A fault that the test put here.");
            }
        });
        await using IEngine engine = StartWith(backend, o => o with { Records = records, Loggers = new ThrowingLoggers() }, out RoutingSnapshot snapshot);
        for (int i = 0; i < 3; i++)
        {
            (Peer client, Peer server) = await OpenAsync(engine, backend);
            await ExpectResetAsync(engine.Bound[0]);
            Keep(await backend.AcceptAsync());
            await FinishAsync(client, server);
        }

        await Patience.Until(() => engine.Count == 0 && snapshot.State.Open == 0, "all have ended");
        Assert.That(snapshot.Pools[0].Backends[0].State.Closed[CloseReason.Internal], Is.EqualTo(3));
        await engine.StopAsync(TimeSpan.FromMinutes(1), CancellationToken.None).Soon();
    }

    [Test]
    public async Task After_a_clock_that_fails_everything_goes_on()
    {
        TestBackend backend = Backend();
        var clock = new FailingClock();
        await using IEngine engine = StartWith(
            backend, o => o with { Clock = clock }, out RoutingSnapshot snapshot, p => p with { IdleTimeout = TimeSpan.FromSeconds(3) });
        (Peer client, Peer server) = await OpenAsync(engine, backend);
        await client.SendAsync(new byte[1]);
        await server.ReceiveAsync(1);
        await Patience.Until(() => IsAtRest(engine), "it is established, and the byte is counted");
        clock.Fails = true;
        await Patience.Until(() => clock.Failures > 5, "the engine meets it again and again");
        clock.Fails = false;

        await client.SendAsync(new byte[1]);
        await server.ReceiveAsync(1);
        (Peer next, Peer nextServer) = await OpenAsync(engine, backend);
        await FinishAsync(next, nextServer);
        Assert.That((await client.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Fin), "timeouts are still checked");
        client.Dispose();
        server.Dispose();
        await Patience.Until(() => engine.Count == 0 && snapshot.State.Open == 0, "all have ended");
        await engine.StopAsync(TimeSpan.FromMinutes(1), CancellationToken.None).Soon();
    }

    private IEngine StartWith(
        TestBackend backend, Func<EngineOptions, EngineOptions> change, out RoutingSnapshot snapshot, Func<PoolSettings, PoolSettings>? pool = null)
    {
        snapshot = RoutingSnapshot.Build(new(
            Settings.Config((pool ?? (static p => p))(Settings.Pool(backend)), Settings.Listener("127.0.0.1:0")), 1000));
        IEngine engine = Create(change(new EngineOptions
        {
            Clock = TimeProvider.System,
            Records = new RecordedConnections(),
            Loggers = NullLoggerFactory.Instance,
            Workers = 2,
        }));
        Assert.That(engine.Start(snapshot), Is.Empty);
        return engine;
    }

    private async Task<(Peer Client, Peer Server)> OpenAsync(IEngine engine, TestBackend backend)
    {
        Peer client = Keep(await Peer.ConnectAsync(engine.Bound[0]));
        return (client, Keep(await backend.AcceptAsync()));
    }

    private static bool IsAtRest(IEngine engine)
    {
        long bytes = 0;
        engine.List(c => bytes += c.Record.BytesToBackend);
        return bytes == 1;
    }

    private sealed class ThrowingSink : IRecordSink
    {
        public void Established(in ConnectionRecord record)
        {
        }

        public void Ended(in ConnectionRecord record) => throw new InvalidOperationException("A fault that the test put here.");
    }

    /// <summary>As a logger of the framework does when a provider throws.</summary>
    private sealed class ThrowingLoggers : ILoggerFactory, ILogger
    {
        public void AddProvider(ILoggerProvider provider)
        {
        }

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            throw new AggregateException("No space left on device.");

        public void Dispose()
        {
        }
    }
}
