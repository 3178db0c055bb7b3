using L4Balancer.Stores;
using L4Balancer.Tests.Discovery.Stores;

namespace L4Balancer.Tests.Discovery;

/// <summary>What every store is held to: changes are seen, and trouble is told as such, never as a set of backends.</summary>
[Parallelizable]
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal abstract class StoreContract(Func<Task<IStore>> start)
{
    /// <summary>Short enough for a test, long enough for a machine under load.</summary>
    internal static readonly StoreHttpOptions Options =
        new() { ConnectTimeout = TimeSpan.FromSeconds(1), Timeout = TimeSpan.FromSeconds(1), Silence = TimeSpan.FromSeconds(1) };

    [Test]
    public async Task Changes_are_seen_and_trouble_changes_nothing_but_what_is_known()
    {
        await using IStore store = await start();
        await store.PutAsync("ws1", "10.0.0.1:1");
        await store.PutAsync("ws2", "10.0.0.2:2");
        await using var seen = new SourceWatch(store.Source(TimeSpan.FromMilliseconds(500), Options));
        string both = await seen.UntilAsync("ws1=10.0.0.1:1*100 ws2=10.0.0.2:2*100");

        await store.PutAsync("ws3", "10.0.0.3:3", 100);
        await seen.UntilAsync($"{both} ws3=10.0.0.3:3*100");
        if (store.HasWeights)
        {
            await store.PutAsync("ws3", "10.0.0.3:3", 0);
            await seen.UntilAsync($"{both} ws3=10.0.0.3:3*0");
        }

        await store.RemoveAsync("ws3");
        await seen.UntilAsync(both);

        foreach (StoreTrouble trouble in (StoreTrouble[])[StoreTrouble.Down, StoreTrouble.Silent, StoreTrouble.Rubbish, StoreTrouble.HalfWritten])
        {
            int before = seen.Reports.Count;
            await store.DisturbAsync(trouble);
            string why = await seen.UntilAsync("?");
            Assert.That(why, Has.Length.InRange(10, 300).And.No.Contain("\n"));
            await store.DisturbAsync(StoreTrouble.None);
            await seen.UntilAsync(both, before);
            Assert.That(seen.Reports.Skip(before).Where(r => r != both && r[0] != '?'), Is.Empty, $"{trouble}");
        }

        await store.WipeAsync();
        await seen.UntilAsync("");
        await store.PutAsync("ws1", "10.0.0.1:1");
        await seen.UntilAsync("ws1=10.0.0.1:1*100");
    }

    [Test]
    public async Task An_unchanged_set_is_reported_again_after_the_interval()
    {
        await using IStore store = await start();
        await store.PutAsync("ws1", "10.0.0.1:1");
        await using var seen = new SourceWatch(store.Source(TimeSpan.FromMilliseconds(200), Options));
        await seen.UntilAsync("ws1=10.0.0.1:1*100", after: 2);
        Assert.That(seen.Reports, Has.All.EqualTo("ws1=10.0.0.1:1*100"));
    }
}

[TestFixture]
internal sealed class HttpContractTests() : StoreContract(HttpStore.StartAsync);

[TestFixture]
internal sealed class EtcdContractTests() : StoreContract(EtcdStore.StartAsync);

[TestFixture]
internal sealed class ConsulContractTests() : StoreContract(ConsulStore.StartAsync);

[TestFixture]
internal sealed class KubernetesContractTests() : StoreContract(KubernetesStore.StartAsync);
