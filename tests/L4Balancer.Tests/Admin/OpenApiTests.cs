using System.Net.Sockets;
using System.Text.Json;
using L4Balancer.Admin;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Tests.Admin;

/// <summary><c>docs/openapi.json</c> against what is there: the routes both ways, the parameters, and the names in the answers.</summary>
[Category(DaemonProcess.Category)]
internal sealed class OpenApiTests
{
    private static readonly string[] Verbs = ["get", "post", "put", "delete", "patch"];

    private static readonly JsonElement Document =
        JsonDocument.Parse(File.ReadAllText(Repository.PathOf("docs", "openapi.json"))).RootElement;

    [Test]
    public void It_describes_the_routes_that_there_are_and_no_others()
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrelCore();
        using var app = (IDisposable)builder.Build();
        var routes = (IEndpointRouteBuilder)app;
        AdminRoutes.Map(routes, null!, NullLogger.Instance);
        string[] mapped =
        [
            .. routes.DataSources.SelectMany(s => s.Endpoints).Cast<RouteEndpoint>().SelectMany(e =>
                e.Metadata.GetMetadata<IHttpMethodMetadata>()!.HttpMethods.Select(m => $"{m} {e.RoutePattern.RawText}")),
        ];
        Assert.That(mapped.Where(m => !m.StartsWith("HEAD ", StringComparison.Ordinal)), Is.EquivalentTo(Operations().Select(o => o.Name)));
    }

    [Test]
    public void Every_operation_says_what_it_takes_and_answers()
    {
        foreach ((string name, JsonElement operation) in Operations())
        {
            string[] inPath =
            [
                .. Parameters(operation).Where(p => p.GetProperty("in").GetString() == "path").Select(p => $"{{{p.GetProperty("name").GetString()}}}"),
            ];
            Assert.That(name.Split('/').Where(s => s.StartsWith('{')), Is.EqualTo(inPath), name);
            string[] codes = [.. operation.GetProperty("responses").EnumerateObject().Select(r => r.Name)];
            Assert.That(codes, Has.Some.StartsWith("2").And.Some.EqualTo("403"), name);
            Assert.That(operation.GetProperty("summary").GetString(), Does.EndWith("."), name);
            Assert.That(operation.GetProperty("operationId").GetString(), Is.Not.Empty);
            bool changes = !name.StartsWith("GET ", StringComparison.Ordinal);
            bool tokenAlways = operation.GetProperty("security").EnumerateArray().All(s => s.EnumerateObject().Any())
                && operation.GetProperty("security").GetArrayLength() > 0;
            Assert.That(tokenAlways, Is.EqualTo(changes), name);
        }

        JsonElement listing = Operations().Single(o => o.Name == "GET /v1/connections").Operation;
        Assert.That(Parameters(listing).Select(p => p.GetProperty("name").GetString()), Is.EqualTo(ConnectionQuery.Parameters));
        JsonElement limit = Parameters(listing).Single(p => p.GetProperty("name").GetString() == "limit").GetProperty("schema");
        Assert.That(limit.GetProperty("default").GetInt32(), Is.EqualTo(ConnectionQuery.DefaultLimit));
        Assert.That(limit.GetProperty("maximum").GetInt32(), Is.EqualTo(ConnectionQuery.LargestLimit));
    }

    [Test]
    public void Every_reference_leads_somewhere_and_every_schema_is_used()
    {
        HashSet<string> used = [];
        Walk(Document, used);
        string[] defined =
        [
            .. Document.GetProperty("components").EnumerateObject().Where(c => c.Name is "schemas" or "responses")
                .SelectMany(c => c.Value.EnumerateObject().Select(s => $"#/components/{c.Name}/{s.Name}")),
        ];
        Assert.That(used, Is.EquivalentTo(defined));
    }

    [TestCase("GET", "/v1/status", "Status")]
    [TestCase("GET", "/v1/backends", "Backends")]
    [TestCase("GET", "/v1/backends/chat/ws1", "Backend")]
    [TestCase("GET", "/v1/connections", "Connections")]
    [TestCase("GET", "/v1/ages", "Ages")]
    [TestCase("GET", "/v1/events", "Events")]
    [TestCase("GET", "/v1/history", "History")]
    [TestCase("GET", "/v1/config", "Config")]
    [TestCase("GET", "/v1/locate?listener=wss&source=203.0.113.7:51234", "Location")]
    [TestCase("GET", "/v1/nope", "Problem")]
    [TestCase("POST", "/v1/reload", "Reload")]
    [TestCase("POST", "/v1/backends/chat/ws1/ready", "Backend")]
    [TestCase("POST", "/v1/pools/chat/rebalance?tolerance=1", "Rebalance")]
    [TestCase("DELETE", "/v1/pools/chat/rebalance", "RebalanceEnd")]
    [TestCase("PUT", "/v1/backends/chat/nope/weight", "Problem")]
    public async Task An_answer_is_as_it_is_described(string method, string path, string schema)
    {
        using TcpClient client = await Talk.ConnectAsync(AdminScene.Listener);
        await Talk.EchoAsync(client, "hello");
        (_, JsonElement answer) = await AdminScene.SendAsync(method, path);
        Assert.That(OpenApiSchema.Faults(Document, Reference(schema), answer), Is.Empty);
        if (schema == "Connections")
        {
            Assert.That(answer.GetProperty("connections").GetArrayLength(), Is.GreaterThan(0));
        }
    }

    [Test]
    public async Task What_a_reload_and_a_close_answer_is_as_it_is_described()
    {
        using TcpClient client = await Talk.ConnectAsync(AdminScene.Listener);
        await Talk.EchoAsync(client, "hello");
        JsonElement listed = (await AdminScene.GetAsync("/v1/connections?limit=1")).GetProperty("connections")[0];
        (_, JsonElement many) = await AdminScene.SendAsync("DELETE", "/v1/connections?source=203.0.113.1");
        Assert.That(OpenApiSchema.Faults(Document, Reference("ClosingMany"), many), Is.Empty);
        (_, JsonElement closing) = await AdminScene.SendAsync("DELETE", $"/v1/connections/{listed.GetProperty("id")}");
        Assert.That(OpenApiSchema.Faults(Document, Reference("Closing"), closing), Is.Empty);
        try
        {
            await File.WriteAllTextAsync(AdminScene.ConfigPath, AdminScene.Config("connect_attempts = 2"));
            (_, JsonElement reload) = await AdminScene.SendAsync("POST", "/v1/reload");
            Assert.That(OpenApiSchema.Faults(Document, Reference("Reload"), reload), Is.Empty);
            Assert.That(reload.GetProperty("changes").GetArrayLength(), Is.EqualTo(1));
            await File.WriteAllTextAsync(AdminScene.ConfigPath, AdminScene.Config("connect_attempts = 0"));
            (_, JsonElement problem) = await AdminScene.SendAsync("POST", "/v1/reload");
            Assert.That(OpenApiSchema.Faults(Document, Reference("Problem"), problem), Is.Empty);
        }
        finally
        {
            await File.WriteAllTextAsync(AdminScene.ConfigPath, AdminScene.Config());
            await AdminScene.SendAsync("POST", "/v1/reload");
        }
    }

    [TestCase("ring", true)]
    [TestCase("maglev", true)]
    [TestCase("least-connections", false)]
    [TestCase("random-two", false)]
    [TestCase("round-robin", false)]
    public async Task Every_balance_is_described_and_locate_names_a_backend_where_a_hash_decides(string balance, bool hashes)
    {
        try
        {
            await File.WriteAllTextAsync(AdminScene.ConfigPath, AdminScene.Config($"balance = \"{balance}\""));
            await AdminScene.SendAsync("POST", "/v1/reload");
            JsonElement status = await AdminScene.GetAsync("/v1/status");
            Assert.That(OpenApiSchema.Faults(Document, Reference("Status"), status), Is.Empty);
            Assert.That(status.GetProperty("pools")[0].GetProperty("balance").GetString(), Is.EqualTo(balance));
            JsonElement location = await AdminScene.GetAsync("/v1/locate?listener=wss&source=203.0.113.7:51234");
            Assert.That(OpenApiSchema.Faults(Document, Reference("Location"), location), Is.Empty);
            Assert.That(location.GetProperty("balance").GetString(), Is.EqualTo(balance));
            Assert.That(location.GetProperty("backend").ValueKind, Is.EqualTo(hashes ? JsonValueKind.String : JsonValueKind.Null));
            Assert.That(location.GetProperty("hash").ValueKind, Is.EqualTo(hashes ? JsonValueKind.String : JsonValueKind.Null));
        }
        finally
        {
            await File.WriteAllTextAsync(AdminScene.ConfigPath, AdminScene.Config());
            await AdminScene.SendAsync("POST", "/v1/reload");
        }
    }

    private static IEnumerable<(string Name, JsonElement Operation)> Operations() =>
        Document.GetProperty("paths").EnumerateObject().SelectMany(path => path.Value.EnumerateObject()
            .Where(verb => Verbs.Contains(verb.Name)).Select(verb => ($"{verb.Name.ToUpperInvariant()} {path.Name}", verb.Value)));

    private static JsonElement[] Parameters(JsonElement operation) =>
        operation.TryGetProperty("parameters", out JsonElement parameters) ? [.. parameters.EnumerateArray()] : [];

    private static JsonElement Reference(string schema) => Document.GetProperty("components").GetProperty("schemas").GetProperty(schema);

    private static void Walk(JsonElement element, HashSet<string> used)
    {
        if (element.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement item in element.EnumerateArray())
            {
                Walk(item, used);
            }
        }
        else if (element.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty property in element.EnumerateObject())
            {
                if (property.Name == "$ref")
                {
                    used.Add(property.Value.GetString()!);
                }
                else
                {
                    Walk(property.Value, used);
                }
            }
        }
    }
}
