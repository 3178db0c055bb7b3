using L4Balancer.Core.Config;
using L4Balancer.Discovery.Http;
using L4Balancer.Tests.Discovery.Stores;
using L4Balancer.Tests.Etcd;
using Microsoft.AspNetCore.Http;

namespace L4Balancer.Tests.Discovery;

/// <summary>What is particular to a URL that is polled.</summary>
[Parallelizable]
internal sealed class HttpSourceTests
{
    [Test]
    public async Task An_unchanged_list_is_not_sent_again()
    {
        await using var store = (HttpStore)await HttpStore.StartAsync();
        await store.PutAsync("ws1", "10.0.0.1:1");
        await using var seen = new SourceWatch(store.Source(TimeSpan.FromMilliseconds(50), StoreContract.Options));
        await seen.UntilAsync("ws1=10.0.0.1:1*100", after: 3);
        Assert.That(store.NotModified, Is.GreaterThanOrEqualTo(2));
        await store.PutAsync("ws1", "10.0.0.1:2");
        await seen.UntilAsync("ws1=10.0.0.1:2*100");
    }

    [Test]
    public async Task A_tag_that_no_request_can_have_is_not_sent_back()
    {
        await using var store = new StubStore(static async (stream, stop) =>
        {
            _ = await stream.ReadAsync(new byte[4096], stop);
            await stream.WriteAsync("HTTP/1.1 200 OK\r\nETag: \"v\u00e9\"\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]"u8.ToArray(), stop);
        });
        await using var seen = new SourceWatch(new HttpSource(
            IStore.Settings(DiscoveryKind.Http, TimeSpan.FromMilliseconds(20)) with { Http = new Uri($"http://{store.Server}/") },
            TimeProvider.System, new Random(1), StoreContract.Options));
        await seen.UntilAsync("", after: 2);
        Assert.That(seen.Reports, Has.All.Empty);
    }

    [Test]
    public async Task Tokens_and_passwords_are_sent_and_read_again_each_time()
    {
        await using var store = (HttpStore)await HttpStore.StartAsync();
        using var secret = new TemporaryFile("one\n");
        DiscoverySettings settings = IStore.Settings(DiscoveryKind.Http, TimeSpan.FromMilliseconds(20)) with { Http = store.Address };
        await using (var bearer = new SourceWatch(
            new HttpSource(settings with { TokenFile = secret.Path }, TimeProvider.System, new Random(1), StoreContract.Options)))
        {
            await bearer.UntilAsync("");
            Assert.That(store.Authorizations, Does.Contain("Bearer one"));
            File.WriteAllText(secret.Path, "two");
            await HoldsAsync(() => store.Authorizations.Contains("Bearer two"));
            File.Delete(secret.Path);
            Assert.That(await bearer.UntilAsync("?"), Does.Contain(secret.Path));
        }

        File.WriteAllText(secret.Path, "secret");
        await using var basic = new SourceWatch(
            new HttpSource(settings with { User = "balancer", PasswordFile = secret.Path }, TimeProvider.System, new Random(1), StoreContract.Options));
        await HoldsAsync(() => store.Authorizations.Contains("Basic YmFsYW5jZXI6c2VjcmV0"));
    }

    [Test]
    public async Task A_redirect_is_not_followed_and_an_error_is_quoted()
    {
        int status = 302;
        await using StubServer server = await StubServer.StartAsync(
            http =>
            {
                http.Response.StatusCode = status;
                http.Response.Headers.Location = status == 302 ? "http://192.0.2.1/" : default;
                return http.Response.WriteAsync(status == 302 ? "" : "no\nsuch list");
            },
            "");
        await using var seen = new SourceWatch(new HttpSource(
            IStore.Settings(DiscoveryKind.Http, TimeSpan.FromSeconds(1)) with { Http = server.Address }, TimeProvider.System, new Random(1), StoreContract.Options));
        Assert.That(await seen.UntilAsync("?"), Does.EndWith("status 302, to http://192.0.2.1/: redirects are not followed"));
        status = 404;
        await HoldsAsync(() => seen.Reports[^1].EndsWith("status 404: no such list", StringComparison.Ordinal));
    }

    [Test]
    public async Task A_list_beyond_the_bound_is_not_read()
    {
        await using var store = (HttpStore)await HttpStore.StartAsync();
        await store.PutAsync("ws1", "10.0.0.1:1");
        await using var seen = new SourceWatch(store.Source(TimeSpan.FromSeconds(1), StoreContract.Options with { MaxBytes = 50 }));
        Assert.That(await seen.UntilAsync("?"), Does.EndWith("the answer has more than 50 bytes"));
    }

    private static async Task HoldsAsync(Func<bool> condition)
    {
        var waited = System.Diagnostics.Stopwatch.StartNew();
        while (!condition())
        {
            Assert.That(waited.Elapsed, Is.LessThan(DaemonProcess.Deadline));
            await Task.Delay(10);
        }
    }
}
