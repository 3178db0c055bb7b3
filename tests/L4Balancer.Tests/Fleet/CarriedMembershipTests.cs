using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using L4Balancer.Control;
using L4Balancer.Core.Config;
using L4Balancer.Core.Fleet;
using L4Balancer.Core.Routing;
using L4Balancer.Etcd;
using L4Balancer.Fleet;
using L4Balancer.Resolving;
using L4Balancer.Stores;
using L4Balancer.Tests.Control;
using L4Balancer.Tests.Etcd;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Tests.Fleet;

/// <summary>A member of a fleet that goes from one process to another, against a real etcd. Services in one process stand for processes.</summary>
[CancelAfter(120_000)]
[Parallelizable(ParallelScope.Self)]
internal sealed class CarriedMembershipTests
{
    private const string Key = "/l4balancer/chat/members/lb1";

    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(2);

    private EtcdServer _server = null!;
    private EtcdClient _etcd = null!;

    [OneTimeSetUp]
    public async Task Start()
    {
        _server = await EtcdServer.StartAsync();
        _etcd = new EtcdClient(
            [_server.Client], new StoreAccess(), new StoreHttpOptions { Timeout = TimeSpan.FromSeconds(5), ConnectTimeout = TimeSpan.FromSeconds(5) },
            TimeProvider.System);
    }

    [OneTimeTearDown]
    public async Task Stop()
    {
        _etcd?.Dispose();
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
    }

    [Test]
    public async Task The_key_never_goes_and_the_lease_stays_over_a_process_that_fails_and_one_that_goes_on()
    {
        using var end = new CancellationTokenSource();
        var changes = new ConcurrentQueue<EtcdEntry?>();
        long from = (await _etcd.ListAsync(Key, end.Token)).Value!.Revision + 1;
        Task watch = _etcd.WatchAsync(
            Key, from, TimeSpan.FromMinutes(2), c => c.Changes.ToList().ForEach(change => changes.Enqueue(change.Entry)), end.Token);
        await using var first = new Process(_server, "first");
        first.Fleet.Start();
        EtcdEntry joined = await EntryAsync(e => Read(e).Host == "first");

        // The other process fails: the first one goes on, and publishes.
        CarriedMembership carried = await first.Fleet.LetGoAsync();
        Assert.That(carried.Lease, Is.EqualTo(joined.Lease));

        // The answer to the write may not have arrived: the next process finds its own instance then.
        Assert.That(carried.Revision, Is.EqualTo(joined.Modified).Or.Zero);
        first.Fleet.TakeBack();
        first.IsReady = false;
        first.Fleet.Changed();
        await EntryAsync(static e => !Read(e).IsReady);

        carried = CarriedMembership.Read((await first.Fleet.LetGoAsync()).ToBytes())!;
        await using var second = new Process(_server, "second");
        second.Fleet.GoOnAs(carried);
        Assert.That(second.Fleet.Status.Members.Select(static m => m.Id), Is.EqualTo(new[] { "lb1" }), "known before the store is read");
        second.Fleet.Start();
        EtcdEntry taken = await EntryAsync(static e => Read(e).Host == "second");
        await first.Fleet.DisposeAsync();
        Assert.That((taken.Lease, taken.Created, Read(taken).Instance), Is.EqualTo((joined.Lease, joined.Created, Read(joined).Instance)));

        // Longer than a lease that nobody renews.
        var waited = Stopwatch.StartNew();
        while (waited.Elapsed < Lease * 2.5)
        {
            Assert.That((await EntryAsync(static _ => true)).Created, Is.EqualTo(joined.Created));
        }

        Assert.That(changes, Has.None.Null.And.All.Property("Lease").EqualTo(joined.Lease));
        await second.Fleet.DisposeAsync();
        await UntilAsync(() => Task.FromResult(changes.LastOrDefault(joined) is null), "it leaves at the end");
        await end.CancelAsync();
        Assert.That(async () => await watch, Throws.InstanceOf<OperationCanceledException>());
    }

    [TestCase("")]
    [TestCase("{")]
    [TestCase("null")]
    [TestCase("{}")]
    [TestCase("{\"instance\":\"\",\"lease\":1,\"revision\":1}")]
    [TestCase("{\"instance\":\"a\",\"lease\":1,\"revision\":-1}")]
    [TestCase("{\"instance\":\"a\",\"lease\":1,\"revision\":1,\"members\":{\"lb1\":null}}")]
    public void What_is_no_membership_is_none(string text) => Assert.That(CarriedMembership.Read(Encoding.UTF8.GetBytes(text)), Is.Null);

    private static FleetMember Read(EtcdEntry entry) => MemberDocument.Read("lb1", entry.Value.Span)!;

    private async Task<EtcdEntry> EntryAsync(Predicate<EtcdEntry> holds)
    {
        EtcdEntry? found = null;
        await UntilAsync(
            async () => (found = (await _etcd.ListAsync(Key, default)).Value!.Entries.SingleOrDefault()) is not null && holds(found), "the key");
        return found!;
    }

    private static async Task UntilAsync(Func<Task<bool>> holds, string what)
    {
        var waited = Stopwatch.StartNew();
        while (!await holds())
        {
            Assert.That(waited.Elapsed, Is.LessThan(DaemonProcess.Deadline), $"not yet so: {what}");
            await Task.Delay(10);
        }
    }

    private sealed class Process : IAsyncDisposable
    {
        private readonly string _file;
        private readonly BalancerControl _control;
        private bool _isGone;

        public Process(EtcdServer server, string host)
        {
            _file = DaemonProcess.ConfigFileWith($"""
                [fleet]
                name = "chat"
                id = "lb1"
                etcd = ["{server.Client.OriginalString}"]
                lease = "{Lease.TotalSeconds}s"
                [[listeners]]
                name = "wss"
                bind = ["127.0.0.1:0"]
                pool = "chat"
                [[pools]]
                name = "chat"
                  [[pools.backends]]
                  name = "ws1"
                  address = "127.0.0.1:9"
                """);
            BalancerConfig config = L4Balancer.Configuration.ConfigFile.Load(_file).Config!;
            var desired = new DesiredState(config, 1000);
            TimeProvider clock = TimeProvider.System;
            var names = new BackendNames(
                new NameResolver(static _ => new LookUp([], "no such name"), clock, static () => { }), clock, NullLogger<BackendNames>.Instance);
            _control = new BalancerControl(
                new ActiveConfig(desired, RoutingSnapshot.Build(desired)), new StillEngine(), names, Undiscovered.With(clock), 10_000, _file, clock,
                NullLoggerFactory.Instance);
            var self = new FleetMember("lb1", Guid.NewGuid().ToString("N")) { Host = host };
            Fleet = new FleetService(
                config.Fleet!, self, me => new FleetView(me, () => _control.Now, static _ => [], () => IsReady), _control, clock, NullLogger.Instance);
            _control.Sharing = Fleet;
            _control.Start();
        }

        public FleetService Fleet { get; }

        public bool IsReady { get; set; } = true;

        public async ValueTask DisposeAsync()
        {
            if (!_isGone)
            {
                _isGone = true;
                await _control.DisposeAsync();
                File.Delete(_file);
            }
        }
    }
}
