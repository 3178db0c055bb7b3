using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace L4Balancer.Tests.Admin;

/// <summary>Every path of the API, asked over the local socket of a real daemon.</summary>
[Category(DaemonProcess.Category)]
internal sealed class AdminApiTests
{
    [Test]
    [Platform("Linux")]
    public void The_socket_is_for_its_owner_and_group_alone()
    {
        if (!OperatingSystem.IsWindows())
        {
            Assert.That(Convert.ToString((int)File.GetUnixFileMode(AdminScene.SocketPath), 8), Is.EqualTo("660"));
        }
    }

    [TestCase("/healthz", "ok\n")]
    [TestCase("/readyz", "ready\n")]
    [TestCase("/readyz?pool=chat", "ready\n")]
    public async Task Health_is_one_word_for_a_checker(string path, string text)
    {
        using HttpResponseMessage response = await AdminScene.Local.GetAsync(path);
        Assert.That(response.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That(response.Content.Headers.ContentType!.MediaType, Is.EqualTo("text/plain"));
        Assert.That(await response.Content.ReadAsStringAsync(), Is.EqualTo(text));
    }

    [Test]
    public async Task The_status_sums_up_what_happened()
    {
        using TcpClient client = await Talk.ConnectAsync(AdminScene.Listener);
        await Talk.EchoAsync(client, "hello");
        JsonElement status = await AdminScene.GetAsync("/v1/status");
        Assert.That(status.GetProperty("ready").GetBoolean(), Is.True);
        Assert.That(status.GetProperty("connections").GetProperty("active").GetInt32(), Is.GreaterThan(0));
        Assert.That(status.GetProperty("accepted").GetInt64(), Is.GreaterThan(0));
        Assert.That(status.GetProperty("listeners")[0].GetProperty("addresses")[0].GetString(), Is.EqualTo(AdminScene.Listener.ToString()));
        Assert.That(status.GetProperty("started_at").GetDateTime().Kind, Is.EqualTo(DateTimeKind.Utc));
        Assert.That(status.GetProperty("descriptors").GetProperty("open").GetInt64(), Is.GreaterThan(10));
    }

    [Test]
    public async Task Metrics_come_in_the_text_that_is_asked_for()
    {
        Assert.That(await AdminScene.Local.GetStringAsync("/metrics"), Does.Contain("l4balancer_build_info{").And.Not.Contain("# EOF"));
        using var request = new HttpRequestMessage(HttpMethod.Get, "/metrics");
        request.Headers.Add("Accept", "application/openmetrics-text");
        using HttpResponseMessage response = await AdminScene.Local.SendAsync(request);
        Assert.That(await response.Content.ReadAsStringAsync(), Does.EndWith("# EOF\n"));
    }

    [Test]
    public async Task The_configuration_is_shown_as_it_is_in_force()
    {
        JsonElement config = await AdminScene.GetAsync("/v1/config");
        Assert.That(config.GetProperty("pools")[0].GetProperty("backends")[1].GetProperty("name").GetString(), Is.EqualTo("ws2"));
        Assert.That(config.GetProperty("balancer").GetProperty("shutdown_grace").GetString(), Is.EqualTo("0s"));
    }

    [Test]
    public async Task A_draining_backend_gets_no_new_connections_until_it_is_ready_again()
    {
        using TcpClient held = await ConnectToAsync("ws1");
        try
        {
            (int status, JsonElement backend) = await AdminScene.SendAsync("POST", "/v1/backends/chat/ws1/drain");
            Assert.That((status, backend.GetProperty("state").GetString()), Is.EqualTo((200, "draining")));
            Assert.That(backend.GetProperty("connections").GetInt32(), Is.GreaterThan(0));
            Assert.That(backend.GetProperty("share_ratio").ValueKind, Is.EqualTo(JsonValueKind.Null));
            Assert.That((await PlacesOfAsync(12)).Distinct(), Is.EqualTo(new[] { "ws2" }));
            Assert.That(await Talk.EchoAsync(held, "still"), Is.EqualTo("still"));
        }
        finally
        {
            await AdminScene.SendAsync("POST", "/v1/backends/chat/ws1/ready");
        }

        using TcpClient again = await ConnectToAsync("ws1");
        Assert.That((await AdminScene.GetAsync("/v1/backends/chat/ws1")).GetProperty("state").GetString(), Is.EqualTo("up"));
        Assert.That(AdminScene.Daemon.Output, Has.Some.Match(@"uid \d+ \(pid \d+\).*chat/ws1"));
    }

    [Test]
    public async Task Maintenance_keeps_everybody_away()
    {
        try
        {
            (int status, JsonElement backend) = await AdminScene.SendAsync("POST", "/v1/backends/chat/ws2/maint");
            Assert.That((status, backend.GetProperty("state").GetString()), Is.EqualTo((200, "maintenance")));
            Assert.That((await PlacesOfAsync(12)).Distinct(), Is.EqualTo(new[] { "ws1" }));
        }
        finally
        {
            await AdminScene.SendAsync("POST", "/v1/backends/chat/ws2/ready");
        }
    }

    [Test]
    public async Task A_weight_of_nothing_keeps_everybody_away()
    {
        try
        {
            (int status, JsonElement backend) = await AdminScene.SendAsync("PUT", "/v1/backends/chat/ws2/weight", "{\"weight\":0}");
            Assert.That((status, backend.GetProperty("weight").GetInt32()), Is.EqualTo((200, 0)));
            Assert.That((await PlacesOfAsync(12)).Distinct(), Is.EqualTo(new[] { "ws1" }));
        }
        finally
        {
            await AdminScene.SendAsync("PUT", "/v1/backends/chat/ws2/weight", "{\"weight\":100}");
        }
    }

    [TestCase("{\"weight\":1001}")]
    [TestCase("{\"weight\":-1}")]
    [TestCase("{\"weight\":1.5}")]
    [TestCase("{\"weight\":\"50\"}")]
    [TestCase("{\"weigth\":50}")]
    [TestCase("{\"weight\":50,\"x\":1}")]
    [TestCase("{}")]
    [TestCase("null")]
    [TestCase("")]
    public async Task A_weight_that_is_none_is_refused(string body)
    {
        (int status, JsonElement problem) = await AdminScene.SendAsync("PUT", "/v1/backends/chat/ws1/weight", body);
        Assert.That(status, Is.EqualTo(400));
        Assert.That(problem.GetProperty("detail").GetString(), Does.Contain("0 to 1000"));
    }

    [Test]
    public async Task A_connection_is_listed_with_all_that_is_known_and_can_be_closed()
    {
        using TcpClient client = await Talk.ConnectAsync(AdminScene.Listener);
        await Talk.EchoAsync(client, "hello");
        JsonElement found = await ListedAsync(client);
        Assert.That(found.GetProperty("state").GetString(), Is.EqualTo("active"));
        Assert.That(found.GetProperty("listener").GetString(), Is.EqualTo("wss"));
        Assert.That(found.GetProperty("destination").GetString(), Is.EqualTo(AdminScene.Listener.ToString()));
        Assert.That(found.GetProperty("source").GetString(), Does.StartWith("127.0.0.1:"));
        Assert.That(found.GetProperty("bytes_to_backend").GetInt64(), Is.EqualTo(5));
        Assert.That(found.GetProperty("generation").GetInt64(), Is.GreaterThan(0));

        ulong id = found.GetProperty("id").GetUInt64();
        Assert.That((await AdminScene.SendAsync("DELETE", $"/v1/connections/{id}")).Status, Is.EqualTo(202));
        Assert.That(await client.GetStream().ReadAsync(new byte[1]).AsTask().WaitAsync(DaemonProcess.Deadline), Is.Zero);
        client.Close();
        await AdminScene.Daemon.LineWithAsync($" id={id} ");
        Assert.That(AdminScene.Daemon.Output, Has.Some.Match($"id={id} .*reason=admin"));
        Assert.That(AdminScene.Daemon.Output, Has.Some.Match($@"closing connection {id}: requested by uid \d+"));
        Assert.That((await AdminScene.SendAsync("DELETE", $"/v1/connections/{id}")).Status, Is.EqualTo(404));
    }

    [Test]
    public async Task A_listing_is_cut_off_at_its_limit_and_says_how_many_match()
    {
        List<TcpClient> clients = [];
        try
        {
            for (int i = 0; i < 5; i++)
            {
                clients.Add(await Talk.ConnectAsync(AdminScene.Listener));
                await Talk.EchoAsync(clients[i], new string('x', i + 1));
            }

            JsonElement answer = await AdminScene.GetAsync("/v1/connections?sort=bytes&limit=2&source=127.0.0.0/8");
            Assert.That(answer.GetProperty("total").GetInt32(), Is.GreaterThanOrEqualTo(5));
            Assert.That(answer.GetProperty("connections").GetArrayLength(), Is.EqualTo(2));
            Assert.That((await AdminScene.GetAsync("/v1/connections?source=203.0.113.0/24")).GetProperty("total").GetInt32(), Is.Zero);
            int byBackend = 0;
            foreach (string backend in new[] { "chat/ws1", "chat/ws2" })
            {
                byBackend += (await AdminScene.GetAsync($"/v1/connections?backend={backend}")).GetProperty("connections").GetArrayLength();
            }

            Assert.That(byBackend, Is.GreaterThanOrEqualTo(5));
        }
        finally
        {
            clients.ForEach(c => c.Dispose());
        }
    }

    [Test]
    public async Task Locate_says_where_the_next_one_goes()
    {
        JsonElement answer = await AdminScene.GetAsync("/v1/locate?listener=wss&source=203.0.113.7:51234");
        Assert.That(answer.GetProperty("backend").GetString(), Is.EqualTo("ws1").Or.EqualTo("ws2"));
        Assert.That(answer.GetProperty("health").GetString(), Is.EqualTo("up"));
        Assert.That(answer.GetProperty("living_backends").GetInt32(), Is.EqualTo(2));

        string owner = answer.GetProperty("owner").GetString()!;
        try
        {
            await AdminScene.SendAsync("POST", $"/v1/backends/chat/{owner}/maint");
            JsonElement other = await AdminScene.GetAsync("/v1/locate?listener=wss&source=203.0.113.7:51234");
            Assert.That(other.GetProperty("owner").GetString(), Is.EqualTo(owner));
            Assert.That(other.GetProperty("backend").GetString(), Is.Not.EqualTo(owner));
            Assert.That(other.GetProperty("health").GetString(), Is.EqualTo("maintenance"));
        }
        finally
        {
            await AdminScene.SendAsync("POST", $"/v1/backends/chat/{owner}/ready");
        }
    }

    [Test]
    public async Task A_reload_says_what_changed_and_a_bad_file_why_not()
    {
        try
        {
            await File.WriteAllTextAsync(AdminScene.ConfigPath, AdminScene.Config("connect_attempts = 2"));
            (int status, JsonElement answer) = await AdminScene.SendAsync("POST", "/v1/reload");
            Assert.That((status, answer.GetProperty("outcome").GetString()), Is.EqualTo((200, "applied")));
            JsonElement change = answer.GetProperty("changes")[0];
            Assert.That(change.GetProperty("path").GetString(), Is.EqualTo("pools.chat.connect_attempts"));
            Assert.That((change.GetProperty("before").GetInt32(), change.GetProperty("after").GetInt32()), Is.EqualTo((3, 2)));

            await File.WriteAllTextAsync(AdminScene.ConfigPath, AdminScene.Config("connect_attempts = 0"));
            (status, JsonElement problem) = await AdminScene.SendAsync("POST", "/v1/reload");
            Assert.That(status, Is.EqualTo(422));
            Assert.That(problem.GetProperty("errors")[0].GetString(), Does.Match(@"\.toml:\d+:\d+: error: pools\[0\]\.connect_attempts: "));
        }
        finally
        {
            await File.WriteAllTextAsync(AdminScene.ConfigPath, AdminScene.Config());
            await AdminScene.SendAsync("POST", "/v1/reload");
        }
    }

    private static async Task<JsonElement> ListedAsync(TcpClient client)
    {
        var local = (IPEndPoint)client.Client.LocalEndPoint!;
        string address = new IPEndPoint(local.Address.MapToIPv4(), local.Port).ToString();
        JsonElement all = (await AdminScene.GetAsync("/v1/connections")).GetProperty("connections");
        return all.EnumerateArray().Single(c => c.GetProperty("client").GetString() == address);
    }

    private static async Task<string> PlaceOfAsync(TcpClient client)
    {
        await Talk.EchoAsync(client, "where");
        return (await ListedAsync(client)).GetProperty("backend").GetString()!;
    }

    private static async Task<TcpClient> ConnectToAsync(string backend)
    {
        for (int i = 0; i < 100; i++)
        {
            TcpClient client = await Talk.ConnectAsync(AdminScene.Listener);
            if (await PlaceOfAsync(client) == backend)
            {
                return client;
            }

            client.Dispose();
        }

        throw new AssertionException($"no connection of 100 came to {backend}");
    }

    private static async Task<List<string>> PlacesOfAsync(int count)
    {
        List<string> places = [];
        for (int i = 0; i < count; i++)
        {
            using TcpClient client = await Talk.ConnectAsync(AdminScene.Listener);
            places.Add(await PlaceOfAsync(client));
        }

        return places;
    }
}
