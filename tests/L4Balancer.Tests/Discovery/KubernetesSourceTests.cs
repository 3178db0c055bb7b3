using L4Balancer.Core.Config;
using L4Balancer.Discovery.Kubernetes;
using L4Balancer.Stores;
using L4Balancer.Tests.Discovery.Stores;
using L4Balancer.Tests.Etcd;

namespace L4Balancer.Tests.Discovery;

/// <summary>What is particular to lists and watches of Kubernetes.</summary>
[Parallelizable]
internal sealed class KubernetesSourceTests
{
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(20);

    [Test]
    public async Task A_watch_goes_on_from_the_list_and_a_terminating_pod_leaves()
    {
        await using var store = (KubernetesStore)await KubernetesStore.StartAsync();
        using var token = new TemporaryFile("eyJ\n");
        await store.PutAsync("chat-0", "10.0.0.1:1");
        await using var seen = new SourceWatch(store.Source(Long, StoreContract.Options with { Silence = Long }, token.Path));
        await seen.UntilAsync("chat-0=10.0.0.1:1*100");
        store.Bookmark();
        await store.PutAsync("chat-1", "10.0.0.2:1");
        await seen.UntilAsync("chat-0=10.0.0.1:1*100 chat-1=10.0.0.2:1*100");
        store.Put("chat-0", KubernetesStore.Slice("1", KubernetesStore.Endpoint("chat-0", "10.0.0.1", "\"ready\":false,\"serving\":true,\"terminating\":true")));
        await seen.UntilAsync("chat-1=10.0.0.2:1*100");

        const string Path = "/apis/discovery.k8s.io/v1/namespaces/rooms/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3Dchat";
        Assert.That(store.Asked, Is.EqualTo(new[]
        {
            $"{Path} Bearer eyJ", $"{Path}&watch=1&allowWatchBookmarks=true&resourceVersion=1001&timeoutSeconds=20 Bearer eyJ",
        }));
        Assert.That(seen.Reports, Has.Count.EqualTo(3));
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task A_version_that_is_gone_is_a_new_list(bool byStatus)
    {
        await using var store = (KubernetesStore)await KubernetesStore.StartAsync();
        store.GoneByStatus = byStatus;
        store.CompactBeforeWatch = true;
        await store.PutAsync("chat-0", "10.0.0.1:1");
        await using var seen = new SourceWatch(store.Source(Long, StoreContract.Options with { Silence = Long }));
        await seen.UntilAsync("chat-0=10.0.0.1:1*100", after: 1);
        await store.PutAsync("chat-1", "10.0.0.2:1");
        await seen.UntilAsync("chat-0=10.0.0.1:1*100 chat-1=10.0.0.2:1*100");
        Assert.That(seen.Reports, Has.None.StartsWith("?"), "that happens to every watch");
        Assert.That(store.Asked.Count(a => a.Contains("watch=1", StringComparison.Ordinal)), Is.EqualTo(2));
    }

    [Test]
    public async Task A_watch_that_is_refused_says_why_and_what_is_listed_is_used()
    {
        await using var store = (KubernetesStore)await KubernetesStore.StartAsync();
        store.RefusesWatches = true;
        await store.PutAsync("chat-0", "10.0.0.1:1");
        await using var seen = new SourceWatch(store.Source(Long, StoreContract.Options with { Silence = Long }));
        Assert.That(await seen.UntilAsync("?"), Does.Contain("the watch is refused: ").And.Contain("status 403").And.Contain("cannot watch"));
        Assert.That(seen.Reports[0], Is.EqualTo("chat-0=10.0.0.1:1*100"));
        store.RefusesWatches = false;
        await seen.UntilAsync("chat-0=10.0.0.1:1*100");
    }

    [Test]
    public async Task A_silent_watch_is_dead()
    {
        await using var store = (KubernetesStore)await KubernetesStore.StartAsync();
        await using var seen = new SourceWatch(store.Source(TimeSpan.FromMinutes(10), StoreContract.Options with { Silence = TimeSpan.FromMilliseconds(300) }));
        await seen.UntilAsync("", after: 1);
        Assert.That(store.Asked.Count(a => !a.Contains("watch=1", StringComparison.Ordinal)), Is.GreaterThan(1));
    }

    [TestCase("10.96.0.1", "443", "https://10.96.0.1/")]
    [TestCase("fd00::1", "6443", "https://[fd00::1]:6443/")]
    public void In_a_pod_the_environment_tells_where_the_API_is(string host, string port, string api)
    {
        var settings = new DiscoverySettings { Kind = DiscoveryKind.Kubernetes, Kubernetes = DiscoverySettings.InCluster, Service = "chat" };
        StoreResult<KubernetesSite> site = KubernetesSite.Of(settings, name => name == "KUBERNETES_SERVICE_HOST" ? host : name == "KUBERNETES_SERVICE_PORT" ? port : null);
        Assert.That(site.Value?.Api.AbsoluteUri, Is.EqualTo(api));
        Assert.That(
            (site.Value!.Access.TokenFile, site.Value.Access.CaFile),
            Is.EqualTo((KubernetesSite.AccountFolder + "/token", KubernetesSite.AccountFolder + "/ca.crt")));
    }

    [Test]
    public async Task Outside_of_a_pod_nothing_is_known()
    {
        var settings = new DiscoverySettings { Kind = DiscoveryKind.Kubernetes, Kubernetes = DiscoverySettings.InCluster, Service = "chat" };
        await using var seen = new SourceWatch(new KubernetesSource(settings, TimeProvider.System, new Random(1), StoreContract.Options, static _ => null));
        Assert.That(await seen.UntilAsync("?"), Does.Contain("KUBERNETES_SERVICE_HOST"));
    }
}
