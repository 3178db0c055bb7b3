using System.Net;

namespace L4Balancer.Tests.Admin;

/// <summary>What a checker learns from <c>/readyz</c> about one pool.</summary>
[Category(DaemonProcess.Category)]
internal sealed class ReadinessTests
{
    [Test]
    public async Task A_pool_without_a_living_backend_is_not_ready_and_the_daemon_is()
    {
        try
        {
            await AdminScene.SendAsync("POST", "/v1/backends/chat/ws1/maint");
            Assert.That(await ReadyAsync("?pool=chat"), Is.EqualTo((HttpStatusCode.OK, "ready\n")), "one lives");
            await AdminScene.SendAsync("POST", "/v1/backends/chat/ws2/drain");
            Assert.That(await ReadyAsync("?pool=chat"), Is.EqualTo((HttpStatusCode.ServiceUnavailable, "no living backend\n")));
            Assert.That(await ReadyAsync(""), Is.EqualTo((HttpStatusCode.OK, "ready\n")));
        }
        finally
        {
            await AdminScene.SendAsync("POST", "/v1/backends/chat/ws1/ready");
            await AdminScene.SendAsync("POST", "/v1/backends/chat/ws2/ready");
        }

        Assert.That(await ReadyAsync("?pool=chat"), Is.EqualTo((HttpStatusCode.OK, "ready\n")));
    }

    [Test]
    public async Task A_checker_that_asks_for_a_wrong_pool_gets_an_error()
    {
        Assert.That((await ReadyAsync("?pool=nope")).Status, Is.EqualTo(HttpStatusCode.NotFound));
        Assert.That((await ReadyAsync("?pol=chat")).Status, Is.EqualTo(HttpStatusCode.BadRequest));
    }

    private static async Task<(HttpStatusCode Status, string Text)> ReadyAsync(string query)
    {
        using HttpResponseMessage response = await AdminScene.Local.GetAsync("/readyz" + query);
        return (response.StatusCode, await response.Content.ReadAsStringAsync());
    }
}
