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
        // A password costs etcd as little as it may, and a quarter of the lease is what an answer may take: no answer in time is another fault.
        await using EtcdServer server = await EtcdServer.StartAsync("http", "--bcrypt-cost", "4");
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
                lease = "10s"
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

            // By now another attempt may have failed otherwise: etcd takes its time to compare a password.
            await FleetScene.AllAsync(
                [balancer],
                async b => (await b.FleetAsync()).GetProperty("fault").GetString()!.Contains("authentication failed", StringComparison.Ordinal),
                "the fault is named");

            // Read at each connect: no restart, no reload.
            await File.WriteAllTextAsync(password.Path, "word\n");
            await FleetScene.AllAsync([balancer], async b => await b.IsConnectedAsync() && (await b.MembersAsync()).Length == 1, "it has joined");

            // The answer to a change does not wait for a store that is slow; the setting is shared once etcd has it.
            await balancer.SendAsync("POST", "/v1/backends/chat/ws1/drain");
            await FleetScene.AllAsync(
                [balancer],
                async b => (await b.GetAsync("/v1/backends/chat/ws1")).GetProperty("mode_set").GetProperty("shared").GetBoolean(),
                "etcd has the drain");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
}
