using System.Net.Sockets;
using System.Text;

namespace L4Balancer.Tests.Admin;

/// <summary>
/// Requests as no client library writes them, and the status that each gets: request smuggling (RFC 9112, 11.2), oversized heads and
/// trailers, other protocols, and what browsers send for other sites.
/// </summary>
[Category(DaemonProcess.Category)]
[Category(DaemonProcess.OfLogic)]
internal sealed class RawRequestTests
{
    private const string Json = "{\"weight\":100}";
    private const string Chunked = "Transfer-Encoding: chunked\r\n";

    private static readonly string Long = new('a', 20_000);

    /// <summary>Bodies of a change that carries the token: the head after its first lines, and the body.</summary>
    private static IEnumerable<TestCaseData> Bodies()
    {
        yield return Row("length", $"Content-Length: 14\r\n\r\n{Json}", 200);
        yield return Row("chunks", $"{Chunked}\r\ne\r\n{Json}\r\n0\r\n\r\n", 200);
        yield return Row("chunks with an extension", $"{Chunked}\r\ne;a=b\r\n{Json}\r\n0\r\n\r\n", 200);
        yield return Row("a trailer", $"{Chunked}\r\ne\r\n{Json}\r\n0\r\nX: y\r\n\r\n", 200);
        yield return Row("length and chunks, which count", $"Content-Length: 4\r\n{Chunked}\r\ne\r\n{Json}\r\n0\r\n\r\n", 200);
        yield return Row("two lengths that differ", $"Content-Length: 14\r\nContent-Length: 4\r\n\r\n{Json}", 400);
        yield return Row("two lengths alike", $"Content-Length: 14\r\nContent-Length: 14\r\n\r\n{Json}", 400);
        yield return Row("a length below zero", $"Content-Length: -14\r\n\r\n{Json}", 400);
        yield return Row("a length with a space", $"Content-Length: 1 4\r\n\r\n{Json}", 400);
        yield return Row("a length list", $"Content-Length: 14, 14\r\n\r\n{Json}", 400);
        yield return Row("a length in hexadecimal", $"Content-Length: 0xe\r\n\r\n{Json}", 400);
        yield return Row("a length beyond 64 bits", $"Content-Length: 99999999999999999999\r\n\r\n{Json}", 400);
        yield return Row("a length beyond the limit", $"Content-Length: 65537\r\n\r\n{Json}", 413);
        yield return Row("chunked before identity", $"Transfer-Encoding: chunked, identity\r\n\r\ne\r\n{Json}\r\n0\r\n\r\n", 400);
        yield return Row("an unknown coding", $"Transfer-Encoding: xchunked\r\n\r\ne\r\n{Json}\r\n0\r\n\r\n", 400);
        yield return Row("a vertical tab before chunked", $"Transfer-Encoding: \vchunked\r\n\r\ne\r\n{Json}\r\n0\r\n\r\n", 400);
        yield return Row("a space before the colon", $"Transfer-Encoding : chunked\r\n\r\ne\r\n{Json}\r\n0\r\n\r\n", 400);
        yield return Row("a bare LF in a chunk extension", $"{Chunked}\r\ne;a\nb\r\n{Json}\r\n0\r\n\r\n", 400);
        yield return Row("a bare LF after a chunk size", $"{Chunked}\r\ne\n{Json}\r\n0\r\n\r\n", 400);
        yield return Row("a bare CR in a chunk extension", $"{Chunked}\r\ne;a\rb\r\n{Json}\r\n0\r\n\r\n", 400);
        yield return Row("an endless chunk extension", $"{Chunked}\r\ne;{string.Concat(Enumerable.Repeat(Long, 60))}\r\n{Json}\r\n0\r\n\r\n", 413);
        yield return Row("endless trailers", $"{Chunked}\r\ne\r\n{Json}\r\n0\r\nX: {Long}\r\n\r\n", 431);
        yield return Row("a chunk size beyond 64 bits", $"{Chunked}\r\nfffffffffffffffff\r\n{Json}\r\n0\r\n\r\n", 400);
        yield return Row("a chunk size of 64 bits", $"{Chunked}\r\nffffffffffffffff\r\n{Json}\r\n0\r\n\r\n", 400);
        yield return Row("a chunk size below zero", $"{Chunked}\r\n-1\r\n{Json}\r\n0\r\n\r\n", 400);
        yield return Row("no chunk size", $"{Chunked}\r\n\r\n{Json}\r\n0\r\n\r\n", 400);
        yield return Row("a chunk longer than its size", $"{Chunked}\r\n2\r\n{Json}\r\n0\r\n\r\n", 400);
        yield return Row("deep JSON", $"{Chunked}\r\n4e20\r\n{new string('[', 20_000)}\r\n0\r\n\r\n", 400);
        yield return Row("bytes that are no UTF-8", "Content-Length: 13\r\n\r\n{\"weight\u00ff\":1}", 400);

        static TestCaseData Row(string name, string rest, int status) => new TestCaseData(rest, status).SetArgDisplayNames(name);
    }

    /// <summary>Whole requests without the token.</summary>
    private static IEnumerable<TestCaseData> Heads()
    {
        yield return Row("plain", "GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\n", 200);
        yield return Row("HTTP/1.0 without Host", "GET /v1/status HTTP/1.0\r\n", 200);
        yield return Row("HTTP/1.1 without Host", "GET /v1/status HTTP/1.1\r\n", 400);
        yield return Row("two Hosts", "GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: 127.0.0.1\r\n", 400);
        yield return Row("HTTP/0.9", "GET /v1/status\r\n", 505);
        yield return Row("HTTP/9.9", "GET /v1/status HTTP/9.9\r\nHost: 127.0.0.1\r\n", 505);
        yield return Row("h2c", "GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n", 200);
        yield return Row("WebSocket", "GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 200);
        yield return Row("TLS hello", "\u0016\u0003\u0001\u0002\0\u0001\0\u0001\u00fc\u0003\u0003\r\n", 400);
        yield return Row("CONNECT", "CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n", 401);
        yield return Row("TRACE", "TRACE /v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\n", 401);
        yield return Row("OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\n", 401);
        yield return Row("a changing method in lower case", "post /v1/reload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n", 401);
        yield return Row("absolute form", "GET http://127.0.0.1/v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\n", 404);
        yield return Row("absolute form of another host", "GET http://rebound.example/v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\n", 400);
        yield return Row("authority form", "GET 127.0.0.1:80 HTTP/1.1\r\nHost: 127.0.0.1\r\n", 405);
        yield return Row("no slash", "GET v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\n", 400);
        yield return Row("NUL in the path", "GET /v1/status\0 HTTP/1.1\r\nHost: 127.0.0.1\r\n", 400);
        yield return Row("NUL in a header", "GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\0b\r\n", 400);
        yield return Row("a header without a colon", "GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nX\r\n", 400);
        yield return Row("a folded header", "GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\r\n b\r\n", 400);
        yield return Row("a header of 20 kB", $"GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nX: {Long}\r\n", 431);
        yield return Row("65 headers", $"GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\n{string.Concat(Enumerable.Repeat("X: y\r\n", 64))}", 431);
        yield return Row("a path of 20 kB", $"GET /{Long} HTTP/1.1\r\nHost: 127.0.0.1\r\n", 414);
        yield return Row("Host with a user", "GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1@rebound.example\r\n", 400);
        yield return Row("Host with a path", "GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1/x\r\n", 400);
        yield return Row("Host that begins like an address", "GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1.rebound.example\r\n", 403);
        yield return Row("Host that begins like localhost", "GET /v1/status HTTP/1.1\r\nHost: localhost.rebound.example\r\n", 403);
        yield return Row("Host as a number", "GET /v1/status HTTP/1.1\r\nHost: 2130706433\r\n", 403);
        yield return Row("Host in hexadecimal", "GET /v1/status HTTP/1.1\r\nHost: 0x7f.1\r\n", 403);
        yield return Row("Host with IPv6", "GET /v1/status HTTP/1.1\r\nHost: [::1]:80\r\n", 200);
        yield return Row("Host beside X-Forwarded-Host", "GET /v1/status HTTP/1.1\r\nHost: rebound.example\r\nX-Forwarded-Host: 127.0.0.1\r\n", 403);
        yield return Row("an address of X-Forwarded-For", "POST /v1/reload HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-For: 127.0.0.1\r\nContent-Length: 0\r\n", 401);
        yield return Row("a method of X-HTTP-Method-Override", "GET /v1/reload HTTP/1.1\r\nHost: 127.0.0.1\r\nX-HTTP-Method-Override: POST\r\n", 405);
        yield return Row("Origin of another port", "GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1:80\r\nOrigin: http://127.0.0.1:81\r\n", 403);
        yield return Row("Origin null", "GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: null\r\n", 403);
        yield return Row("two Origins", "GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\nOrigin: https://evil.example\r\n", 403);
        yield return Row("Sec-Fetch-Site of the same site", "GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nSec-Fetch-Site: same-site\r\n", 403);
        yield return Row("Sec-Fetch-Site twice", "GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nSec-Fetch-Site: none\r\nSec-Fetch-Site: cross-site\r\n", 403);
        yield return Row("Sec-Fetch-Site of a page of its own", "GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nSec-Fetch-Site: same-origin\r\n", 200);

        static TestCaseData Row(string name, string head, int status) => new TestCaseData(head, status).SetArgDisplayNames(name);
    }

    [TestCaseSource(nameof(Bodies))]
    public async Task A_body_gets_the_status_that_it_deserves(string rest, int status)
    {
        string answer = await AskAsync(
            "PUT /v1/backends/chat/ws1/weight HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
            + $"Authorization: Bearer {AdminScene.Token}\r\n{rest}");
        AssertStatus(answer, status);
    }

    [TestCaseSource(nameof(Heads))]
    public async Task A_head_gets_the_status_that_it_deserves(string head, int status) =>
        AssertStatus(await AskAsync($"{head}{(head.Contains("\r\nConnection:", StringComparison.Ordinal) ? "" : "Connection: close\r\n")}\r\n"), status);

    [Test]
    public async Task The_preface_of_HTTP_2_is_no_request() =>
        Assert.That(await AskAsync("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Does.Not.Contain("HTTP/1.1 200").And.Not.Contain("version"));

    [Test]
    public async Task Requests_in_one_piece_get_one_answer_each()
    {
        const int Count = 500;
        string one = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
        string last = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
        string answer = await AskAsync(string.Concat(Enumerable.Repeat(one, Count - 1)) + last);
        Assert.That(answer.Split("HTTP/1.1 200 OK\r\n"), Has.Length.EqualTo(Count + 1));
    }

    [Test]
    public async Task What_follows_a_body_of_two_lengths_is_no_request()
    {
        string answer = await AskAsync(
            $"PUT /v1/backends/chat/ws1/weight HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {AdminScene.Token}\r\n"
            + $"Content-Length: 5\r\n{Chunked}\r\n0\r\n\r\nGET /v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
        Assert.That(answer.Split("HTTP/1.1 "), Has.Length.EqualTo(2), answer);
    }

    [Test]
    public async Task None_of_it_is_a_fault_of_the_daemon()
    {
        foreach (TestCaseData row in Bodies())
        {
            await AskAsync(
                "POST /v1/backends/chat/ws1/ready HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                + $"Authorization: Bearer {AdminScene.Token}\r\n{row.Arguments[0]}");
        }

        Assert.That(AdminScene.Daemon.Output, Has.None.Contains("   at ").And.None.Contains("xception"));
    }

    private static void AssertStatus(string answer, int status)
    {
        Assert.That(answer, Does.StartWith("HTTP/1.1 ").Or.StartWith("HTTP/1.0 "));
        Assert.That(answer[9..12], Is.EqualTo($"{status}"), answer);
        Assert.That(answer, Does.Not.Contain("Access-Control").And.Not.Contain("\r\nServer:"));
        Assert.That(answer.Split("HTTP/1.1 "), Has.Length.EqualTo(2), "one answer");
    }

    private static async Task<string> AskAsync(string request)
    {
        using TcpClient client = await Talk.ConnectAsync(AdminScene.Tcp);
        using var answer = new MemoryStream();
        await UnlessResetAsync(client.GetStream().WriteAsync(Encoding.Latin1.GetBytes(request)).AsTask());
        await UnlessResetAsync(client.GetStream().CopyToAsync(answer));
        return Encoding.Latin1.GetString(answer.ToArray());
    }

    // A reset: the rest of the request was not read. What was answered before can still be read.
    private static async Task UnlessResetAsync(Task task)
    {
        try
        {
            await task.WaitAsync(DaemonProcess.Deadline);
        }
        catch (IOException)
        {
        }
    }
}
