using System.Text;
using L4Balancer.Tests.Etcd;

namespace L4Balancer.Tests.Fleet;

/// <summary>A balancer and an etcd that knows users: a role on the prefix of the fleet is all that the balancer needs (docs/fleet.md).</summary>
[Category(DaemonProcess.Category)]
[CancelAfter(180_000)]
[Parallelizable(ParallelScope.Self)]
internal sealed class FleetAccessTests
{
    [Test]
    public async Task A_role_on_the_prefix_of_the_fleet_suffices_and_a_wrong_password_is_named()
    {
        await using EtcdServer server = await EtcdServer.StartAsync();
        await EtcdClientTests.PostAsync(server, "/v3/auth/user/add", """{"name":"root","password":"secret"}""");
        await EtcdClientTests.PostAsync(server, "/v3/auth/role/add", """{"name":"root"}""");
        await EtcdClientTests.PostAsync(server, "/v3/auth/user/grant", """{"user":"root","role":"root"}""");
        await EtcdClientTests.PostAsync(server, "/v3/auth/user/add", """{"name":"balancer","password":"word"}""");
        await EtcdClientTests.PostAsync(server, "/v3/auth/role/add", """{"name":"fleet"}""");
        await EtcdClientTests.PostAsync(
            server, "/v3/auth/role/grant",
            $$$"""{"name":"fleet","perm":{"permType":"READWRITE","key":"{{{Base64("/l4balancer/chat/")}}}","range_end":"{{{Base64("/l4balancer/chat0")}}}"}}""");
        await EtcdClientTests.PostAsync(server, "/v3/auth/user/grant", """{"user":"balancer","role":"fleet"}""");
        await EtcdClientTests.PostAsync(server, "/v3/auth/enable", "{}");
        DirectoryInfo folder = Directory.CreateTempSubdirectory("l4b-fleet-");
        try
        {
            using var password = new TemporaryFile("wrong\n");
            await using var backend = new JudgedBackend();
            await using var balancer = new FleetMemberProcess("lb1", folder.FullName, id => $"""
                [admin]
                socket = "{folder.FullName}/{id}.sock"
                [fleet]
                name = "chat"
                id = "{id}"
                etcd = ["{server.Client.OriginalString}"]
                lease = "2s"
                user = "balancer"
                password_file = "{password.Path}"
                [[listeners]]
                name = "wss"
                bind = ["127.0.0.1:0"]
                pool = "chat"
                [[pools]]
                name = "chat"
                [[pools.backends]]
                name = "ws1"
                address = "{backend.Endpoint}"

                """);
            await balancer.StartAsync();
            await balancer.Daemon.LineWithAsync("authentication failed");
            Assert.That((await balancer.FleetAsync()).GetProperty("fault").GetString(), Does.Contain("authentication failed"));

            // Read at each connect: no restart, no reload.
            await File.WriteAllTextAsync(password.Path, "word\n");
            await FleetScene.AllAsync([balancer], async b => await b.IsConnectedAsync() && (await b.MembersAsync()).Length == 1, "it has joined");
            System.Text.Json.JsonElement answer = await balancer.SendAsync("POST", "/v1/backends/chat/ws1/drain");
            Assert.That(answer.GetProperty("mode_set").GetProperty("shared").GetBoolean(), Is.True, answer.ToString());
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
}
