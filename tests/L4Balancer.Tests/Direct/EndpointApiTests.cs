using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Routing;

namespace L4Balancer.Tests.Direct;

/// <summary>What clients are answered, over HTTP.</summary>
internal sealed class EndpointApiTests
{
    [Test]
    public async Task An_answer_names_a_backend_with_its_url_and_two_others()
    {
        await using EndpointScene scene = await EndpointScene.StartAsync();
        using HttpResponseMessage response = await scene.Http.GetAsync("/v1/endpoint?pool=chat");
        JsonElement answer = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement;

        string[] all =
        [
            answer.GetProperty("backend").GetString()!,
            .. answer.GetProperty("alternates").EnumerateArray().Select(static a => a.GetProperty("backend").GetString()!),
        ];
        using (Assert.EnterMultipleScope())
        {
            Assert.That(response.Headers.CacheControl?.ToString(), Is.EqualTo("no-store"));
            Assert.That(response.Headers.Vary, Is.EqualTo(new[] { "Origin" }));
            Assert.That(all, Is.EquivalentTo(new[] { "ws1", "ws2", "ws3" }));
            Assert.That(answer.GetProperty("url").GetString(), Is.EqualTo($"wss://{all[0]}.example.com/chat"));
            Assert.That(answer.GetProperty("alternates")[1].GetProperty("url").GetString(), Is.EqualTo($"wss://{all[2]}.example.com/chat"));
            Assert.That(answer.GetProperty("pool").GetString(), Is.EqualTo("chat"));
            Assert.That(answer.GetProperty("ttl").GetDouble(), Is.EqualTo(30));
            Assert.That(answer.TryGetProperty("token", out _), Is.False, "no secret_file");
            Assert.That(scene.Pool.State.EndpointAnswers[EndpointResult.Success], Is.EqualTo(1));
            Assert.That(scene.Pool.Backends.Sum(b => b.State.HandedOut), Is.EqualTo(1));
        }
    }

    [Test]
    public async Task A_redirection_is_not_cached_and_goes_to_the_backend()
    {
        await using EndpointScene scene = await EndpointScene.StartAsync("allow_origins = [\"https://chat.example.com\"]");
        using HttpResponseMessage response = await scene.SendAsync(
            "GET", "/v1/endpoint?pool=chat&exclude=chat/ws1&exclude=ws2&redirect=1", ("Origin", "https://chat.example.com"));

        using (Assert.EnterMultipleScope())
        {
            Assert.That((int)response.StatusCode, Is.EqualTo(307));
            Assert.That(response.Headers.Location, Is.EqualTo(new Uri("wss://ws3.example.com/chat")));
            Assert.That(response.Headers.CacheControl?.ToString(), Is.EqualTo("no-store"));
            Assert.That(Header(response, "Access-Control-Allow-Origin"), Is.EqualTo("https://chat.example.com"), "fetch follows it only so");
        }
    }

    [Test]
    public async Task SignalR_s_negotiation_gets_a_redirection_for_http()
    {
        await using EndpointScene scene = await EndpointScene.StartAsync();
        using HttpResponseMessage response = await scene.SendAsync("POST", "/negotiate?pool=chat&exclude=ws1&exclude=ws2&negotiateVersion=1");

        Assert.That(
            await response.Content.ReadAsStringAsync(), Is.EqualTo("{\"negotiateVersion\":0,\"url\":\"https://ws3.example.com/chat\"}"));
    }

    [Test]
    public async Task A_drained_backend_is_excluded_at_once_and_without_any_the_answer_says_when_to_come_back()
    {
        await using EndpointScene scene = await EndpointScene.StartAsync("rate_per_source = 0");
        scene.Pool.SetMode(0, BackendMode.Draining);
        for (int i = 0; i < 20; i++)
        {
            Assert.That((await scene.GetAsync("/v1/endpoint?pool=chat")).GetRawText(), Does.Not.Contain("ws1"));
        }

        scene.Pool.SetMode(1, BackendMode.Maintenance);
        scene.Pool.SetMode(2, BackendMode.Draining);
        HashSet<TimeSpan?> waits = [];
        for (int i = 0; i < 50; i++)
        {
            using HttpResponseMessage response = await scene.Http.GetAsync("/v1/endpoint?pool=chat");
            Assert.That((int)response.StatusCode, Is.EqualTo(503));
            Assert.That(response.Content.Headers.ContentType?.MediaType, Is.EqualTo("application/problem+json"));
            waits.Add(response.Headers.RetryAfter?.Delta);
        }

        using (Assert.EnterMultipleScope())
        {
            Assert.That(waits, Is.All.InRange(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(5)));
            Assert.That(waits, Has.Count.GreaterThan(1), "clients do not come back at the same time");
            Assert.That(scene.Pool.State.EndpointAnswers[EndpointResult.NoBackend], Is.EqualTo(50));
        }
    }

    [Test]
    public async Task A_source_that_asks_too_fast_is_told_to_wait()
    {
        await using EndpointScene scene = await EndpointScene.StartAsync("rate_per_source = 1");
        Task<HttpResponseMessage>[] all = [.. Enumerable.Range(0, 10).Select(_ => scene.Http.GetAsync("/v1/endpoint?pool=chat"))];
        HttpResponseMessage[] responses = await Task.WhenAll(all);
        HttpResponseMessage limited = responses.First(static r => (int)r.StatusCode == 429);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(limited.Headers.RetryAfter?.Delta, Is.EqualTo(TimeSpan.FromSeconds(1)));
            Assert.That(scene.Pool.State.EndpointAnswers[EndpointResult.Limited], Is.EqualTo(responses.Count(static r => (int)r.StatusCode == 429)));
        }

        Array.ForEach(responses, static r => r.Dispose());
    }

    [TestCase("/v1/endpoint?pool=plain", 404, "whose backends have a public_url")]
    [TestCase("/v1/endpoint?pool=none", 404, "no pool \\u0022none\\u0022")]
    [TestCase("/v1/endpoint", 400, "pool is required")]
    [TestCase("/v1/endpoint?pool=chat&pool=chat", 400, "pool is given more than once")]
    [TestCase("/v1/endpoint?pool=chat&rooms=1", 400, "no parameter")]
    [TestCase("/v1/endpoint?pool=chat&redirect=yes", 400, "redirect is 0 or 1")]
    [TestCase("/v1/endpoint?pool=chat&key=", 400, "key has 1 to 1024 characters")]
    [TestCase("/v1/endpoint?pool=chat&negotiateVersion=1", 400, "no parameter")]
    [TestCase("/v1/endpoint?pool=chat&exclude=a&exclude=a&exclude=a&exclude=a&exclude=a&exclude=a&exclude=a&exclude=a&exclude=a", 400, "more than 8")]
    [TestCase("/v1/status", 404, "no such path")]
    [TestCase("/", 404, "no such path")]
    public async Task What_is_wrong_is_said(string path, int status, string detail)
    {
        await using EndpointScene scene = await EndpointScene.StartAsync();
        using HttpResponseMessage response = await scene.Http.GetAsync(path);

        using (Assert.EnterMultipleScope())
        {
            Assert.That((int)response.StatusCode, Is.EqualTo(status));
            Assert.That(response.Content.Headers.ContentType?.MediaType, Is.EqualTo("application/problem+json"));
            Assert.That(await response.Content.ReadAsStringAsync(), Does.Contain(detail));
            Assert.That(scene.Pool.State.EndpointAnswers.Total, Is.Zero);
        }
    }

    [TestCase("DELETE", "/v1/endpoint?pool=chat", "GET, HEAD, OPTIONS")]
    [TestCase("POST", "/v1/endpoint?pool=chat", "GET, HEAD, OPTIONS")]
    [TestCase("GET", "/negotiate?pool=chat", "POST, OPTIONS")]
    public async Task Other_methods_are_refused(string method, string path, string allowed)
    {
        await using EndpointScene scene = await EndpointScene.StartAsync();
        using HttpResponseMessage response = await scene.SendAsync(method, path);

        Assert.That((int)response.StatusCode, Is.EqualTo(405));
        Assert.That(string.Join(", ", response.Content.Headers.Allow), Is.EqualTo(allowed));
    }

    [Test]
    public async Task HEAD_hands_out_nothing()
    {
        await using EndpointScene scene = await EndpointScene.StartAsync();
        using HttpResponseMessage response = await scene.SendAsync("HEAD", "/v1/endpoint?pool=chat&redirect=1");

        using (Assert.EnterMultipleScope())
        {
            Assert.That((int)response.StatusCode, Is.EqualTo(307));
            Assert.That(scene.Pool.State.EndpointAnswers.Total, Is.Zero);
            Assert.That(scene.Pool.Backends.Sum(b => b.State.HandedOut), Is.Zero);
        }
    }

    [TestCase("[\"https://chat.example.com\"]", "https://chat.example.com", true)]
    [TestCase("[\"https://Chat.Example.com\"]", "https://chat.example.com", true)]
    [TestCase("[\"https://chat.example.com\"]", "http://chat.example.com", false)]
    [TestCase("[\"https://chat.example.com\"]", "https://chat.example.com.evil.example", false)]
    [TestCase("[\"https://chat.example.com\"]", "null", false)]
    [TestCase("[]", "https://chat.example.com", false)]
    [TestCase("[\"*\"]", "https://any.example", true)]
    public async Task Pages_of_allowed_origins_may_ask(string allowed, string origin, bool may)
    {
        await using EndpointScene scene = await EndpointScene.StartAsync($"allow_origins = {allowed}");
        using HttpResponseMessage preflight = await scene.SendAsync(
            "OPTIONS", "/negotiate?pool=chat", ("Origin", origin), ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "x-requested-with,x-signalr-user-agent"));
        using HttpResponseMessage response = await scene.SendAsync("GET", "/v1/endpoint?pool=chat", ("Origin", origin));

        using (Assert.EnterMultipleScope())
        {
            Assert.That((int)preflight.StatusCode, Is.EqualTo(may ? 204 : 403));
            Assert.That((int)response.StatusCode, Is.EqualTo(may ? 200 : 403));
            Assert.That(Header(preflight, "Access-Control-Allow-Origin"), Is.EqualTo(may ? origin : ""));
            Assert.That(Header(preflight, "Access-Control-Allow-Methods"), may ? Does.Contain("POST") : Is.Empty);
            Assert.That(Header(preflight, "Access-Control-Allow-Headers"), may ? Does.Contain("X-SignalR-User-Agent") : Is.Empty);
            Assert.That(Header(preflight, "Access-Control-Allow-Credentials"), Is.EqualTo(may ? "true" : ""));
            Assert.That(Header(response, "Access-Control-Allow-Origin"), Is.EqualTo(may ? origin : ""));
            Assert.That(Header(response, "Vary"), Is.EqualTo("Origin"));
        }
    }

    [Test]
    public async Task A_key_decides_where_the_pool_chooses_by_key()
    {
        await using EndpointScene scene = await EndpointScene.StartAsync("rate_per_source = 0", "hash_key = [\"source-ip\"]");
        HashSet<string> backends = [];
        for (int i = 0; i < 50; i++)
        {
            string first = (await scene.GetAsync($"/v1/endpoint?pool=chat&key=room{i}")).GetProperty("backend").GetString()!;
            Assert.That((await scene.GetAsync($"/v1/endpoint?pool=chat&key=room{i}")).GetProperty("backend").GetString(), Is.EqualTo(first));
            backends.Add(first);
        }

        Assert.That(backends, Has.Count.EqualTo(3));
        await using EndpointScene byLoad = await EndpointScene.StartAsync("", "balance = \"least-connections\"");
        using HttpResponseMessage refused = await byLoad.Http.GetAsync("/v1/endpoint?pool=chat&key=room1");
        Assert.That(refused.StatusCode, Is.EqualTo(HttpStatusCode.BadRequest));
    }

    [Test]
    public async Task A_reload_takes_another_secret_and_keeps_the_last_that_could_be_read()
    {
        (string first, string second) = (DaemonProcess.ConfigFileWith(new string('a', 32)), DaemonProcess.ConfigFileWith(new string('b', 32)));
        string shorter = DaemonProcess.ConfigFileWith(new string('c', 31));
        await using EndpointScene scene = await EndpointScene.StartAsync($"rate_per_source = 0\nsecret_file = \"{first}\"");
        Assert.That(IsSignedWith('a', await TokenAsync()), Is.True);
        scene.ReadSecret(second);
        Assert.That(IsSignedWith('b', await TokenAsync()), Is.True);
        scene.ReadSecret(shorter);
        Assert.That(IsSignedWith('b', await TokenAsync()), Is.True, "a secret that cannot be used changes nothing");
        scene.ReadSecret("");
        Assert.That((await scene.GetAsync("/v1/endpoint?pool=chat")).TryGetProperty("token", out _), Is.False);
        Assert.ThrowsAsync<InvalidDataException>(() => EndpointScene.StartAsync($"secret_file = \"{shorter}\""));

        async Task<string> TokenAsync() => (await scene.GetAsync("/v1/endpoint?pool=chat")).GetProperty("token").GetString()!;
    }

    private static bool IsSignedWith(char letter, string token)
    {
        int dot = token.LastIndexOf('.');
        byte[] key = Encoding.ASCII.GetBytes(new string(letter, 32));
        return Base64Url.EncodeToString(HMACSHA256.HashData(key, Encoding.ASCII.GetBytes(token[..dot]))) == token[(dot + 1)..];
    }

    private static string Header(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out IEnumerable<string>? values) ? string.Join(", ", values) : "";
}
