using System.Diagnostics;
using L4Balancer.Etcd;
using L4Balancer.Stores;

namespace L4Balancer.Tests.Etcd;

/// <summary>What a watch reports while its store is changed, stopped, killed, wiped and restored.</summary>
[Parallelizable]
internal sealed class EtcdWatchTests
{
    private static readonly StoreHttpOptions Quick = new() { Timeout = TimeSpan.FromSeconds(1), ConnectTimeout = TimeSpan.FromSeconds(1) };

    [Test]
    public async Task Changes_are_reported_when_they_happen_and_trouble_as_such_until_it_is_over()
    {
        await using EtcdServer server = await EtcdServer.StartAsync();
        using EtcdClient etcd = EtcdClientTests.Connect(server.Client, Quick);
        await PutAsync(etcd, "/p/1", "a");
        await using var seen = new WatchedKeys(etcd, "/p/", TimeSpan.FromSeconds(1));
        await seen.UntilAsync("/p/1=a");
        await PutAsync(etcd, "/p/2", "b");
        await seen.UntilAsync("/p/1=a /p/2=b");
        await PutAsync(etcd, "/q/1", "not below the prefix");
        EtcdClientTests.Ok(await etcd.DeleteAsync("/p/1", default));
        await seen.UntilAsync("/p/2=b");

        server.Stop();
        await seen.UntilAsync("?");
        server.Continue();
        await seen.UntilAsync("/p/2=b");

        await server.KillAsync();
        await seen.UntilAsync("?");
        server.Start();
        await seen.UntilAsync("/p/2=b");

        await server.WipeAsync();
        await seen.UntilAsync("");
        await PutAsync(etcd, "/p/3", "c");
        await seen.UntilAsync("/p/3=c");
    }

    [Test]
    public async Task Store_behind_a_cut_network_is_trouble_until_it_is_mended()
    {
        using var network = new CutNetwork();
        await using EtcdServer server = await EtcdServer.StartAsync(network);
        using EtcdClient etcd = EtcdClientTests.Connect(server.Client, Quick);
        await PutAsync(etcd, "/p/1", "a");
        await using var seen = new WatchedKeys(etcd, "/p/", TimeSpan.FromSeconds(1));
        await seen.UntilAsync("/p/1=a");
        network.Cut();
        await seen.UntilAsync("?");
        network.Mend();
        await seen.UntilAsync("/p/1=a");
        await PutAsync(etcd, "/p/1", "b");
        await seen.UntilAsync("/p/1=b");
    }

    [Test]
    public async Task Two_of_three_members_are_enough_and_one_is_not()
    {
        await using EtcdCluster cluster = await EtcdCluster.StartAsync();
        using EtcdClient etcd = cluster.Connect(Quick);
        await PutAsync(etcd, "/p/1", "a");
        await using var seen = new WatchedKeys(etcd, "/p/", TimeSpan.FromSeconds(1));
        await seen.UntilAsync("/p/1=a");

        await cluster.Members[0].KillAsync();
        await PutAsync(etcd, "/p/1", "b");
        await seen.UntilAsync("/p/1=b");

        await cluster.Members[1].KillAsync();
        await seen.UntilAsync("?");
        Assert.That((await etcd.PutAsync("/p/1", "c"u8.ToArray(), 0, default)).IsOk, Is.False);

        cluster.Members[1].Start();
        await seen.UntilAsync("/p/1=b", "/p/1=c");
        await PutAsync(etcd, "/p/1", "d");
        await seen.UntilAsync("/p/1=d");
    }

    // A new leader may take a moment to be elected.
    private static async Task PutAsync(EtcdClient etcd, string key, string value)
    {
        var waited = Stopwatch.StartNew();
        while ((await etcd.PutAsync(key, System.Text.Encoding.UTF8.GetBytes(value), 0, default)) is { IsOk: false } failed)
        {
            Assert.That(waited.Elapsed, Is.LessThan(DaemonProcess.Deadline), failed.Fault);
        }
    }

    private sealed class WatchedKeys : IAsyncDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly Lock _gate = new();
        private readonly List<string> _reports = [];
        private readonly Task _running;

        public WatchedKeys(EtcdClient etcd, string prefix, TimeSpan interval) =>
            _running = new EtcdWatch(etcd, prefix, interval, new Random(1)).RunAsync(Take, _stop.Token);

        /// <summary>Waits until the latest report is one of these: keys with values, or "?" for trouble.</summary>
        public async Task UntilAsync(params string[] wanted)
        {
            var waited = Stopwatch.StartNew();
            while (true)
            {
                lock (_gate)
                {
                    if (_reports.Count > 0 && wanted.Contains(_reports[^1]))
                    {
                        return;
                    }

                    Assert.That(waited.Elapsed, Is.LessThan(DaemonProcess.Deadline), $"not {wanted[0]}: {string.Join(" | ", _reports.TakeLast(20))}");
                }

                await Task.Delay(10);
            }
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _running.WaitAsync(DaemonProcess.Deadline);
            _stop.Dispose();
        }

        private void Take(StoreResult<EtcdListing> listing)
        {
            lock (_gate)
            {
                _reports.Add(listing.IsOk ? string.Join(' ', listing.Value.Entries.Select(e => $"{e.Key}={e.Text}")) : "?");
            }
        }
    }
}
