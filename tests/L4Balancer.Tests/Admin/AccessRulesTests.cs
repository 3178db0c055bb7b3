using L4Balancer.Admin.Access;
using Microsoft.AspNetCore.Http;

namespace L4Balancer.Tests.Admin;

internal sealed class AccessRulesTests
{
    private const string Local = "local";
    private const string Loopback = "loopback";
    private const string Elsewhere = "elsewhere";

    private static readonly AccessToken Token = AccessToken.Of("open sesame".Replace(' ', '-'));

    [TestCase(Local, "GET", null, 0)]
    [TestCase(Local, "POST", null, 0)]
    [TestCase(Loopback, "GET", null, 0)]
    [TestCase(Loopback, "HEAD", null, 0)]
    [TestCase(Loopback, "POST", null, 401)]
    [TestCase(Loopback, "PUT", null, 401)]
    [TestCase(Loopback, "DELETE", null, 401)]
    [TestCase(Loopback, "POST", "Bearer open-sesame", 0)]
    [TestCase(Loopback, "POST", "bearer open-sesame", 0)]
    [TestCase(Loopback, "POST", "Bearer open-sesam", 401)]
    [TestCase(Loopback, "POST", "Bearer open-sesame2", 401)]
    [TestCase(Loopback, "POST", "Bearer ", 401)]
    [TestCase(Loopback, "POST", "Basic open-sesame", 401)]
    [TestCase(Loopback, "POST", "open-sesame", 401)]
    [TestCase(Elsewhere, "GET", null, 401)]
    [TestCase(Elsewhere, "GET", "Bearer open-sesame", 0)]
    [TestCase(Elsewhere, "POST", null, 401)]
    [TestCase(Elsewhere, "POST", "Bearer open-sesame", 0)]
    public void The_token_decides_where_it_must(string from, string method, string? authorization, int status)
    {
        Refusal? refusal = AccessRules.Check(Request(method, authorization: authorization), From(from), Token, []);
        Assert.That(refusal?.Status ?? 0, Is.EqualTo(status));
        Assert.That(refusal?.Challenge, status == 401 ? Does.StartWith("Bearer ") : Is.Null);
    }

    [TestCase(Loopback, "POST", 403)]
    [TestCase(Loopback, "GET", 0)]
    [TestCase(Elsewhere, "GET", 403)]
    [TestCase(Local, "POST", 0)]
    public void Where_no_token_is_configured_nobody_has_it(string from, string method, int status)
    {
        Refusal? refusal = AccessRules.Check(Request(method, authorization: "Bearer "), From(from), AccessToken.None, []);
        Assert.That(refusal?.Status ?? 0, Is.EqualTo(status));
        Assert.That(refusal?.Detail, status == 0 ? Is.Null : Does.Contain("token_file"));
    }

    [TestCase("/healthz", 0)]
    [TestCase("/readyz", 0)]
    [TestCase("/metrics", 401)]
    [TestCase("/healthz/", 401)]
    public void Only_health_is_for_everybody(string path, int status) =>
        Assert.That(AccessRules.Check(Request("GET", path: path), From(Elsewhere), Token, [])?.Status ?? 0, Is.EqualTo(status));

    [TestCase("localhost", 0)]
    [TestCase("LOCALHOST:9180", 0)]
    [TestCase("127.0.0.1:9180", 0)]
    [TestCase("203.0.113.7", 0)]
    [TestCase("[::1]:9180", 0)]
    [TestCase("[2001:db8::7]", 0)]
    [TestCase("", 0)]
    [TestCase("rebound.example", 403)]
    [TestCase("localhost.example:9180", 403)]
    [TestCase("localhost.", 403)]
    [TestCase("127.0.0.1.example", 403)]
    [TestCase("0x7f.1", 403)]
    [TestCase("2130706433", 403)]
    public void A_name_that_could_be_rebound_is_refused(string host, int status)
    {
        Assert.That(AccessRules.Check(Request("GET", host: host), From(Loopback), Token, [])?.Status ?? 0, Is.EqualTo(status));
        Assert.That(AccessRules.Check(Request("GET", host: host), From(Local), Token, []), Is.Null);
    }

    [TestCase("lb1.internal", "lb1.internal:9180", 0)]
    [TestCase("LB1.internal", "lb1.INTERNAL", 0)]
    [TestCase("lb1.internal", "lb2.internal", 403)]
    [TestCase("lb1.internal", "lb1.internal.example", 403)]
    [TestCase("lb1.internal", "lb1.internal.", 403)]
    [TestCase("lb1.internal", "x.lb1.internal", 403)]
    [TestCase("lb1.internal", "127.0.0.1", 0)]
    public void A_name_of_the_configuration_is_accepted(string configured, string host, int status)
    {
        Refusal? refusal = AccessRules.Check(Request("GET", host: host), From(Loopback), Token, [configured]);
        Assert.That(refusal?.Status ?? 0, Is.EqualTo(status));
        Assert.That(refusal?.Detail, status == 0 ? Is.Null : Does.Contain("[admin] hosts"));
    }

    [TestCase("http://lb1.internal:9180", 0)]
    [TestCase("https://lb1.internal:9180", 0)]
    [TestCase("https://lb1.internal", 403)]
    [TestCase("https://lb2.internal:9180", 403)]
    public void The_page_of_a_configured_name_may_change_things_through_a_proxy_too(string origin, int status)
    {
        HttpRequest request = Request("POST", host: "lb1.internal:9180", authorization: "Bearer open-sesame");
        request.Headers.Origin = origin;
        Assert.That(AccessRules.Check(request, From(Loopback), Token, ["lb1.internal"])?.Status ?? 0, Is.EqualTo(status));
    }

    [Test]
    public void A_token_file_that_cannot_be_used_is_told_apart_from_none()
    {
        string path = Path.Combine(Path.GetTempPath(), $"l4balancer-test-{Guid.NewGuid():N}.token");
        AccessToken token = AccessToken.Read(path, out _);
        Refusal? refusal = AccessRules.Check(Request("POST", authorization: "Bearer open-sesame"), From(Loopback), token, []);
        Assert.That(refusal?.Status, Is.EqualTo(403));
        Assert.That(refusal?.Detail, Does.Contain("configured but cannot be read"));
        Assert.That(AccessRules.Check(Request("POST"), From(Loopback), AccessToken.None, [])?.Detail, Does.Contain("none is configured"));
    }

    [TestCase("Sec-Fetch-Site", "cross-site", 403)]
    [TestCase("Sec-Fetch-Site", "same-site", 403)]
    [TestCase("Sec-Fetch-Site", "same-origin", 0)]
    [TestCase("Sec-Fetch-Site", "none", 0)]
    [TestCase("Origin", "http://127.0.0.1:9180", 0)]
    [TestCase("Origin", "http://127.0.0.1:9181", 403)]
    [TestCase("Origin", "https://127.0.0.1:9180", 403)]
    [TestCase("Origin", "https://evil.example", 403)]
    [TestCase("Origin", "null", 403)]
    public void What_a_browser_sends_for_another_site_is_refused_with_the_token_too(string header, string value, int status)
    {
        foreach (string method in new[] { "GET", "POST" })
        {
            HttpRequest request = Request(method, authorization: "Bearer open-sesame");
            request.Headers[header] = value;
            Assert.That(AccessRules.Check(request, From(Loopback), Token, [])?.Status ?? 0, Is.EqualTo(status), method);
        }
    }

    [Test]
    public void A_connection_that_nobody_looked_at_has_no_rights() =>
        Assert.That(AccessRules.Check(Request("GET"), Requester.Of(new DefaultHttpContext()), Token, [])?.Status, Is.EqualTo(401));

    private static Requester From(string where) => new(where == Local, where == Loopback, where);

    private static HttpRequest Request(
        string method, string path = "/v1/status", string host = "127.0.0.1:9180", string? authorization = null)
    {
        HttpRequest request = new DefaultHttpContext().Request;
        (request.Method, request.Path, request.Host) = (method, path, new HostString(host));
        if (authorization is not null)
        {
            request.Headers.Authorization = authorization;
        }

        return request;
    }
}
