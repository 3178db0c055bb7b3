using L4Balancer.Tests.Discovery.Stores;
using L4Balancer.Tests.Etcd;

namespace L4Balancer.Tests.Discovery;

/// <summary>What is particular to blocking queries.</summary>
[Parallelizable]
internal sealed class ConsulSourceTests
{
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(20);

    [Test]
    public async Task A_query_waits_for_a_change_beyond_its_index()
    {
        await using var store = (ConsulStore)await ConsulStore.StartAsync();
        using var token = new TemporaryFile("4f6d\n");
        await store.PutAsync("ws1", "10.0.0.1:1");
        await using var seen = new SourceWatch(store.Source(Long, StoreContract.Options, token.Path));
        await seen.UntilAsync("ws1=10.0.0.1:1*100");
        await store.PutAsync("ws2", "[2001:db8::2]:2");
        await seen.UntilAsync("ws1=10.0.0.1:1*100 ws2=[2001:db8::2]:2*100");
        Assert.That(store.Asked.Take(2), Is.EqualTo(new[]
        {
            "/v1/health/service/chat?passing=1 4f6d", "/v1/health/service/chat?passing=1&index=101&wait=20000ms 4f6d",
        }));
        Assert.That(seen.Reports, Has.Count.EqualTo(2));
    }

    [Test]
    public async Task An_index_that_goes_back_is_not_waited_for()
    {
        await using var store = (ConsulStore)await ConsulStore.StartAsync();
        await store.PutAsync("ws1", "10.0.0.1:1");
        await using var seen = new SourceWatch(store.Source(Long, StoreContract.Options));
        await seen.UntilAsync("ws1=10.0.0.1:1*100");
        await store.ResetAsync();
        await seen.UntilAsync("ws1=10.0.0.1:1*100", after: 2);
        await store.PutAsync("ws2", "10.0.0.2:2");
        await seen.UntilAsync("ws1=10.0.0.1:1*100 ws2=10.0.0.2:2*100");
        Assert.That(store.Asked[2], Is.EqualTo("/v1/health/service/chat?passing=1 "));
        Assert.That(store.Asked[3], Does.Contain("&index=5&"));
    }

    [Test]
    public async Task An_answer_that_the_token_has_cut_down_is_unknown()
    {
        await using var store = (ConsulStore)await ConsulStore.StartAsync();
        store.IsFiltered = true;
        await store.PutAsync("ws1", "10.0.0.1:1");
        await using var seen = new SourceWatch(store.Source(Long, StoreContract.Options));
        Assert.That(await seen.UntilAsync("?"), Does.EndWith("the token may not read all instances and nodes of the service"));
        store.IsFiltered = false;
        await seen.UntilAsync("ws1=10.0.0.1:1*100");
    }

    [Test]
    public async Task An_answer_without_an_index_is_not_Consul_s()
    {
        await using var store = (ConsulStore)await ConsulStore.StartAsync();
        store.HasIndex = false;
        await using var seen = new SourceWatch(store.Source(Long, StoreContract.Options));
        Assert.That(await seen.UntilAsync("?"), Does.EndWith("the answer has no X-Consul-Index: this is not Consul"));
    }
}
