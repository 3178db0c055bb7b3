using System.Net;
using System.Text.Json;

namespace L4Balancer.Tests.Admin;

/// <summary>What is asked wrongly: each answer is a problem with the mend, and carries the headers that every answer does.</summary>
[Category(DaemonProcess.Category)]
[Category(DaemonProcess.OfLogic)]
internal sealed class AdminErrorTests
{
    [TestCase("", HttpStatusCode.BadRequest, "backend, source, listener")]
    [TestCase("?rate=5", HttpStatusCode.BadRequest, "backend, source, listener")]
    [TestCase("?backend=ws1", HttpStatusCode.BadRequest, "POOL/NAME")]
    [TestCase("?source=10.0.0.0/40", HttpStatusCode.BadRequest, "range")]
    [TestCase("?listener=wss&rate=fast", HttpStatusCode.BadRequest, "rate")]
    [TestCase("?sourc=10.0.0.0/8", HttpStatusCode.BadRequest, "no parameter")]
    [TestCase("?backend=chat/nope", HttpStatusCode.NotFound, "no backend")]
    [TestCase("?listener=nope", HttpStatusCode.NotFound, "no listener")]
    public async Task A_close_that_is_asked_wrongly_closes_nothing(string query, HttpStatusCode expected, string detail)
    {
        (int status, JsonElement problem) = await AdminScene.SendAsync("DELETE", $"/v1/connections{query}");
        Assert.That(status, Is.EqualTo((int)expected));
        Assert.That(problem.GetProperty("detail").GetString(), Does.Contain(detail));
    }

    [TestCase("GET", "/v1/nope", 404, "no such path")]
    [TestCase("GET", "/v1/endpoint?pool=chat", 404, "whose backends have a public_url")]
    [TestCase("GET", "/v1/endpoint", 400, "pool is required")]
    [TestCase("POST", "/v1/pools/nope/rebalance", 404, "no pool")]
    [TestCase("POST", "/v1/pools/chat/rebalance?rate=fast", 400, "from 0 to")]
    [TestCase("POST", "/v1/pools/chat/rebalance?tolerance=2", 400, "from 0 to 1")]
    [TestCase("GET", "/v1/pools/chat/rebalance", 405, "POST")]
    [TestCase("POST", "/v1/backends/chat/ws1/drain?rate=-5", 400, "from 0 to")]
    [TestCase("POST", "/v1/backends/chat/ws1/drain?within=60", 400, "a duration")]
    [TestCase("POST", "/v1/backends/chat/ws1/drain?within=1m&rate=5", 400, "not both")]
    [TestCase("POST", "/v1/backends/chat/ws1/maint?rate=5", 400, "no parameter")]
    [TestCase("GET", "/v1/backends/chat/nope", 404, "no backend")]
    [TestCase("POST", "/v1/backends/nope/ws1/maint", 404, "no backend")]
    [TestCase("DELETE", "/v1/connections/999999", 404, "no connection")]
    [TestCase("DELETE", "/v1/connections/first", 400, "number")]
    [TestCase("GET", "/v1/status?verbose=1", 400, "no parameter")]
    [TestCase("GET", "/v1/connections?limit=0", 400, "from 1 to")]
    [TestCase("GET", "/v1/connections?limit=100001", 400, "from 1 to")]
    [TestCase("GET", "/v1/connections?sort=colour", 400, "age, bytes and idle")]
    [TestCase("GET", "/v1/connections?source=10.0.0.0/40", 400, "203.0.113.0/24")]
    [TestCase("GET", "/v1/connections?backend=ws1", 400, "POOL/NAME")]
    [TestCase("GET", "/v1/connections?limit=1&limit=2", 400, "more than once")]
    [TestCase("GET", "/v1/locate", 400, "required")]
    [TestCase("GET", "/v1/locate?listener=nope&source=1.2.3.4:5", 400, "no such listener")]
    [TestCase("GET", "/v1/locate?listener=wss&source=1.2.3.4", 400, "address and port")]
    [TestCase("POST", "/v1/status", 405, "GET")]
    [TestCase("GET", "/v1/reload", 405, "POST")]
    [TestCase("OPTIONS", "/v1/status", 405, "GET")]
    [TestCase("PATCH", "/v1/backends/chat/ws1/weight", 405, "PUT")]
    public async Task A_mistake_is_told_with_its_mend(string method, string path, int status, string detail)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        using HttpResponseMessage response = await AdminScene.Local.SendAsync(request);
        Assert.That((int)response.StatusCode, Is.EqualTo(status));
        Assert.That(response.Content.Headers.ContentType!.MediaType, Is.EqualTo("application/problem+json"));
        JsonElement problem = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement;
        Assert.That(problem.GetProperty("type").GetString(), Is.EqualTo("about:blank"));
        Assert.That(problem.GetProperty("title").GetString(), Is.Not.Empty);
        Assert.That(problem.GetProperty("status").GetInt32(), Is.EqualTo(status));
        Assert.That(problem.GetProperty("detail").GetString(), Does.Contain(detail));
        if (status == 405)
        {
            Assert.That(response.Content.Headers.Allow, Does.Contain(detail));
        }
    }

    [TestCase("/v1/status")]
    [TestCase("/healthz")]
    [TestCase("/v1/nope")]
    public async Task Every_answer_tells_the_browser_to_keep_off(string path)
    {
        using HttpResponseMessage response = await AdminScene.Local.GetAsync(path);
        Assert.That(response.Headers.GetValues("X-Content-Type-Options"), Is.EqualTo(new[] { "nosniff" }));
        Assert.That(response.Headers.CacheControl!.NoStore, Is.True);
        Assert.That(response.Headers.GetValues("Content-Security-Policy").Single(), Does.Contain("default-src 'none'"));
        Assert.That(response.Headers.Select(h => h.Key), Has.None.StartsWith("Access-Control").And.None.EqualTo("Server"));
    }

    /// <summary>The client reads the refusal though it is still sending: the rest of the body is discarded, not left unread.</summary>
    [Test]
    public async Task A_body_that_is_too_large_is_refused([Values(70_000, 1_000_000)] int bytes, [Range(1, 5)] int _)
    {
        using var large = new ByteArrayContent(new byte[bytes]);
        using HttpResponseMessage told = await AdminScene.Local.PutAsync("/v1/backends/chat/ws1/weight", large);
        Assert.That(told.StatusCode, Is.EqualTo(HttpStatusCode.RequestEntityTooLarge));

        // Without a length it shows only while it is read.
        using var endless = new StreamContent(new MemoryStream([.. Enumerable.Repeat((byte)' ', bytes)]));
        using var request = new HttpRequestMessage(HttpMethod.Put, "/v1/backends/chat/ws1/weight") { Content = endless };
        request.Headers.TransferEncodingChunked = true;
        using HttpResponseMessage read = await AdminScene.Local.SendAsync(request);
        Assert.That(read.StatusCode, Is.EqualTo(HttpStatusCode.RequestEntityTooLarge));
        Assert.That(read.Content.Headers.ContentType!.MediaType, Is.EqualTo("application/problem+json"));
    }

    [Test]
    public async Task A_head_is_answered_without_a_body()
    {
        using var request = new HttpRequestMessage(HttpMethod.Head, "/v1/status");
        using HttpResponseMessage response = await AdminScene.Local.SendAsync(request);
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That(await response.Content.ReadAsByteArrayAsync(), Is.Empty);
    }

    [TestCase("/v1/../v1/status")]
    [TestCase("/v1/./status")]
    [TestCase("//v1/status")]
    [TestCase("/v1//status")]
    [TestCase("/v1/status/")]
    [TestCase("/v1/status.")]
    [TestCase("/v1/status%20")]
    [TestCase("/v1/Status")]
    [TestCase("/%76%31/status")]
    [TestCase("/v1/%2e%2e/v1/status")]
    [TestCase("/v1%2fstatus")]
    [TestCase("/v1%5cstatus")]
    [TestCase("/v1\\status")]
    [TestCase("/v1/status;x=1")]
    [TestCase("/v1/backends/chat/..%2fchat%2fws1")]
    [TestCase("/v1/backends/chat/ws1%00")]
    [TestCase("/healthz/../v1/status")]
    [TestCase("/v1/backends/chat/%77s1")]
    [TestCase("http://127.0.0.1/v1/status")]
    public async Task A_path_has_one_spelling(string target)
    {
        string answer = await AdminScene.RawAsync("GET", target);
        Assert.That(answer, Does.StartWith("HTTP/1.1 404 ").Or.StartWith("HTTP/1.1 400 "));
        Assert.That(answer, Does.Not.Contain("\"version\"").And.Not.Contain("\"pool\""));
        if (!target.Contains("%00", StringComparison.Ordinal))
        {
            Assert.That(answer, Does.StartWith("HTTP/1.1 404 ").And.Contain("application/problem+json"));
        }
    }

    [TestCase("GET", "/v1/status", "", "127.0.0.1", 200)]
    [TestCase("GET", "/v1/status", "", "localhost:1", 200)]
    [TestCase("GET", "/v1/status", "", "rebound.example", 403)]
    [TestCase("GET", "/healthz", "", "rebound.example", 403)]
    [TestCase("GET", "/v1/status", "Origin: https://evil.example\r\n", "127.0.0.1", 403)]
    [TestCase("GET", "/v1/status", "Sec-Fetch-Site: cross-site\r\n", "127.0.0.1", 403)]
    [TestCase("POST", "/v1/reload", "Content-Length: 0\r\n", "127.0.0.1", 401)]
    [TestCase("POST", "/v1/reload", "Content-Length: 0\r\nAuthorization: Bearer wrong\r\n", "127.0.0.1", 401)]
    [TestCase("POST", "/v1/reload", "Content-Length: 0\r\nAuthorization: Bearer " + AdminScene.Token + "\r\n", "127.0.0.1", 200)]
    [TestCase("POST", "/v1/reload", "Content-Length: 0\r\nOrigin: null\r\nAuthorization: Bearer " + AdminScene.Token + "\r\n", "127.0.0.1", 403)]
    [TestCase("OPTIONS", "/v1/reload", "Origin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n", "127.0.0.1", 403)]
    public async Task By_TCP_the_rules_hold(string method, string path, string head, string host, int status)
    {
        string answer = await AdminScene.RawAsync(method, path, head, host);
        Assert.That(answer, Does.StartWith($"HTTP/1.1 {status} "));
        Assert.That(answer, Does.Not.Contain("Access-Control"));
        Assert.That(answer, status == 401 ? Does.Contain("WWW-Authenticate: Bearer ") : Does.Not.Contain("WWW-Authenticate"));
    }
}
