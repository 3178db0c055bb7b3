using System.Diagnostics;
using System.Text;
using L4Balancer.Etcd;
using L4Balancer.Stores;
using L4Balancer.Tests.Discovery.Stores;
using Microsoft.AspNetCore.Http;

namespace L4Balancer.Tests.Etcd;

/// <summary>The client of etcd against a real one.</summary>
[Parallelizable]
internal sealed class EtcdClientTests
{
    private EtcdServer _server = null!;
    private EtcdClient _etcd = null!;

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        _server = await EtcdServer.StartAsync();
        _etcd = Connect(_server.Client);
    }

    [OneTimeTearDown]
    public async Task StopAsync()
    {
        _etcd?.Dispose();
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
    }

    [Test]
    public async Task What_is_put_is_listed_below_its_prefix_only()
    {
        Ok(await _etcd.PutAsync("/a/1", "é"u8.ToArray(), 0, default));
        Ok(await _etcd.PutAsync("/a/2", ReadOnlyMemory<byte>.Empty, 0, default));
        Ok(await _etcd.PutAsync("/b/1", "other"u8.ToArray(), 0, default));
        EtcdListing listing = Ok(await _etcd.ListAsync("/a/", default));
        Assert.That(listing.Entries.Select(e => (e.Key, e.Text)), Is.EqualTo(new[] { ("/a/1", "é"), ("/a/2", "") }));
        Assert.That(listing.Revision, Is.GreaterThanOrEqualTo(listing.Entries[1].Modified));

        Assert.That(Ok(await _etcd.DeleteAsync("/a/1", default)).Succeeded, Is.True);
        Assert.That(Ok(await _etcd.DeleteAsync("/a/1", default)).Succeeded, Is.False);
        Ok(await _etcd.DeleteAllAsync("/a/", default));
        Assert.That(Ok(await _etcd.ListAsync("/a/", default)).Entries, Is.Empty);
        Assert.That(Ok(await _etcd.ListAsync("", default)).Entries.Select(e => e.Key), Does.Contain("/b/1"));
    }

    [Test]
    public async Task Keys_of_a_lease_end_with_it()
    {
        EtcdLease lease = Ok(await _etcd.GrantAsync(TimeSpan.FromSeconds(60), default));
        Assert.That(lease.Ttl, Is.EqualTo(TimeSpan.FromSeconds(60)));
        Ok(await _etcd.PutAsync("/lease/1", "x"u8.ToArray(), lease.Id, default));
        Assert.That(Ok(await _etcd.ListAsync("/lease/", default)).Entries.Single().Lease, Is.EqualTo(lease.Id));
        Assert.That(Ok(await _etcd.KeepAliveAsync(lease.Id, default)).Ttl, Is.EqualTo(TimeSpan.FromSeconds(60)));

        Ok(await _etcd.RevokeAsync(lease.Id, default));
        Assert.That(Ok(await _etcd.ListAsync("/lease/", default)).Entries, Is.Empty);
        Assert.That(Ok(await _etcd.KeepAliveAsync(lease.Id, default)).Ttl, Is.EqualTo(TimeSpan.Zero));
        Assert.That((await _etcd.RevokeAsync(lease.Id, default)).IsRefusal, Is.True);
        StoreResult<EtcdWritten> put = await _etcd.PutAsync("/lease/1", "x"u8.ToArray(), lease.Id, default);
        Assert.That((put.IsRefusal, put.Fault), Is.EqualTo((true, $"{_server.Client.Authority}: etcdserver: requested lease not found")));
    }

    [Test]
    public async Task A_transaction_writes_only_if_what_it_compares_holds()
    {
        var take = new EtcdTransaction
        {
            If = [EtcdCompare.Missing("/txn/1")],
            Then = [EtcdOperation.Put("/txn/1", "first"u8)],
            Else = [EtcdOperation.Get("/txn/1")],
        };
        Assert.That(Ok(await _etcd.CommitAsync(take, default)).Succeeded, Is.True);
        EtcdWritten second = Ok(await _etcd.CommitAsync(take, default));
        Assert.That((second.Succeeded, second.Found.Single().Text), Is.EqualTo((false, "first")));

        long modified = second.Found.Single().Modified;
        var change = new EtcdTransaction
        {
            If = [EtcdCompare.ModifiedAt("/txn/1", modified), EtcdCompare.Equal("/txn/1", "first"u8), EtcdCompare.Exists("/txn/1")],
            Then = [EtcdOperation.Put("/txn/1", "second"u8), EtcdOperation.Get("/txn/1")],
            Else = [EtcdOperation.Delete("/txn/1")],
        };
        EtcdWritten third = Ok(await _etcd.CommitAsync(change, default));
        Assert.That((third.Succeeded, third.Found.Single().Text), Is.EqualTo((true, "second")));
        Assert.That(Ok(await _etcd.CommitAsync(change, default)).Succeeded, Is.False);
        Assert.That(Ok(await _etcd.ListAsync("/txn/", default)).Entries, Is.Empty);
    }

    [Test]
    public async Task A_compacted_revision_ends_a_watch_and_says_so()
    {
        Ok(await _etcd.PutAsync("/compact/1", "1"u8.ToArray(), 0, default));
        long revision = Ok(await _etcd.PutAsync("/compact/1", "2"u8.ToArray(), 0, default)).Revision;
        await PostAsync(_server, "/v3/kv/compaction", $$"""{"revision":"{{revision}}"}""");
        EtcdWatchEnd end = await _etcd.WatchAsync("/compact/", revision - 1, DaemonProcess.Deadline, _ => { }, default);
        Assert.That((end.InTime, end.Why), Is.EqualTo((false, $"{_server.Client.Authority}: its revision is compacted")));
    }

    [Test]
    public async Task A_watch_ends_in_its_own_time()
    {
        var waited = Stopwatch.StartNew();
        EtcdWatchEnd end = await _etcd.WatchAsync("/quiet/", 0, TimeSpan.FromMilliseconds(200), _ => { }, default);
        Assert.That(end.InTime, Is.True);
        Assert.That(waited.Elapsed, Is.GreaterThan(TimeSpan.FromMilliseconds(150)));
    }

    [Test]
    public async Task An_answer_beyond_the_bound_is_a_failure()
    {
        Ok(await _etcd.PutAsync("/large/1", new byte[8192], 0, default));
        using EtcdClient bounded = Connect(_server.Client, new StoreHttpOptions { MaxBytes = 4096 });
        StoreResult<EtcdListing> listing = await bounded.ListAsync("/large/", default);
        Assert.That(listing.Fault, Does.Contain("more than 4096 bytes"));

        EtcdWatchEnd end = await bounded.WatchAsync("/large/", 1, DaemonProcess.Deadline, _ => { }, default);
        Assert.That(end.Why, Does.Contain("TooLong").Or.Contain("compacted"));
    }

    [TestCase("""{"header":{"revision":"7"},"kvs":[null]}""", "the watch has failed: no result")]
    [TestCase("""{"header":{"revision":"7"},"kvs":[{"value":"YQ=="}]}""", "the watch has failed: no result")]
    [TestCase("""{"result":{"events":[null]}}""", "an event has no key")]
    [TestCase("""{"result":{"events":[{"type":"DELETE"}]}}""", "an event has no key")]
    public async Task An_entry_without_a_key_is_a_failure(string answer, string why)
    {
        await using StubServer stub = await StubServer.StartAsync(http => http.Response.WriteAsync(answer + "\n"), "");
        using EtcdClient etcd = Connect(stub.Address);
        Assert.That((await etcd.ListAsync("/", default)).Fault, Is.Not.Null);
        EtcdWatchEnd end = await etcd.WatchAsync("/", 1, DaemonProcess.Deadline, static _ => Assert.Fail("a change without a key"), default);
        Assert.That((end.InTime, end.Why), Is.EqualTo((false, $"{stub.Address.Authority}: {why}")));
    }

    [Test]
    public async Task The_next_endpoint_answers_where_one_refuses_or_is_silent()
    {
        using var silent = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        silent.Start();
        int refusing = EtcdServer.FreePorts(1)[0];
        Uri[] endpoints = [new($"http://127.0.0.1:{refusing}"), new($"http://{silent.LocalEndpoint}"), _server.Client];
        using var etcd = new EtcdClient([.. endpoints], new StoreAccess(), new StoreHttpOptions { Timeout = TimeSpan.FromMilliseconds(500) }, TimeProvider.System);
        Ok(await etcd.ListAsync("/none/", default));

        using var deaf = new EtcdClient([.. endpoints[..2]], new StoreAccess(), new StoreHttpOptions { Timeout = TimeSpan.FromMilliseconds(500) }, TimeProvider.System);
        StoreResult<EtcdListing> none = await deaf.ListAsync("/none/", default);
        Assert.That(none.Fault, Does.Contain("Connection refused").And.Contain("no answer within 0.5 s"));
    }

    [Test]
    public async Task A_user_s_token_is_renewed_after_the_store_has_forgotten_it()
    {
        await using EtcdServer server = await EtcdServer.StartAsync();
        await DemandUsersAsync(server);
        using var secret = new TemporaryFile("secret\n");

        using EtcdClient nobody = Connect(server.Client);
        Assert.That((await nobody.ListAsync("/", default)).Fault, Does.Contain("user name is empty"));
        using EtcdClient etcd = new([server.Client], new StoreAccess { User = "root", PasswordFile = secret.Path }, new StoreHttpOptions(), TimeProvider.System);
        Ok(await etcd.ListAsync("/", default));

        // A restart alone finds its tokens again in the log.
        await server.WipeAsync();
        await DemandUsersAsync(server);
        StoreResult<EtcdListing> first = await etcd.ListAsync("/", default);
        Assert.That(first.Fault, Is.Null.Or.Contain("no answer within"), "a token of a later revision than the store has");
        Ok(await etcd.ListAsync("/", default));

        File.WriteAllText(secret.Path, "wrong\n");
        using EtcdClient wrong = new([server.Client], new StoreAccess { User = "root", PasswordFile = secret.Path }, new StoreHttpOptions(), TimeProvider.System);
        Assert.That((await wrong.ListAsync("/", default)).Fault, Does.Contain("authentication failed"));
    }

    [Test]
    public async Task Certificates_are_demanded_by_both_sides_and_read_again_when_they_change()
    {
        using var trusted = new StoreCertificates();
        using var other = new StoreCertificates();
        await using EtcdServer server = await EtcdServer.StartAsync(
            "https", "--cert-file", trusted.ServerFile, "--key-file", trusted.ServerKeyFile, "--client-cert-auth", "--trusted-ca-file", trusted.AuthorityFile);
        using var authority = new TemporaryFile(File.ReadAllText(other.AuthorityFile));
        var access = new StoreAccess { CaFile = authority.Path, CertFile = trusted.ClientFile, KeyFile = trusted.ClientKeyFile };
        using var etcd = new EtcdClient([server.Client], access, new StoreHttpOptions(), TimeProvider.System);
        Assert.That((await etcd.ListAsync("/", default)).Fault, Does.Contain("certificate"));

        File.Copy(trusted.AuthorityFile, authority.Path, overwrite: true);
        Ok(await etcd.ListAsync("/", default));

        using var without = new EtcdClient([server.Client], access with { CertFile = "", KeyFile = "" }, new StoreHttpOptions(), TimeProvider.System);
        Assert.That((await without.ListAsync("/", default)).IsOk, Is.False);
        using var missing = new EtcdClient([server.Client], access with { CaFile = "/nonexistent/ca.pem" }, new StoreHttpOptions(), TimeProvider.System);
        Assert.That((await missing.ListAsync("/", default)).Fault, Does.Contain("/nonexistent/ca.pem"));
    }

    private static async Task DemandUsersAsync(EtcdServer server)
    {
        await PostAsync(server, "/v3/auth/user/add", """{"name":"root","password":"secret"}""");
        await PostAsync(server, "/v3/auth/role/add", """{"name":"root"}""");
        await PostAsync(server, "/v3/auth/user/grant", """{"user":"root","role":"root"}""");
        await PostAsync(server, "/v3/auth/enable", "{}");
    }

    internal static T Ok<T>(StoreResult<T> result)
        where T : class
    {
        Assert.That(result.Fault, Is.Null);
        return result.Value!;
    }

    internal static EtcdClient Connect(Uri endpoint, StoreHttpOptions? options = null) =>
        new([endpoint], new StoreAccess(), options ?? new StoreHttpOptions(), TimeProvider.System);

    internal static async Task PostAsync(EtcdServer server, string path, string json)
    {
        using var http = new HttpClient();
        using var body = new StringContent(json, Encoding.UTF8, "application/json");
        using HttpResponseMessage answer = await http.PostAsync(new Uri(server.Client, path), body);
        Assert.That(answer.IsSuccessStatusCode, Is.True, path);
    }
}
