using System.Text.Json;
using L4Balancer.Tests.Admin;

namespace L4Balancer.Tests.Direct;

/// <summary>
/// <c>docs/openapi-endpoint.json</c> against what is answered: the methods of each path, the parameters, and the names in the answers.
/// </summary>
internal sealed class EndpointOpenApiTests
{
    private static readonly JsonElement Document =
        JsonDocument.Parse(File.ReadAllText(Repository.PathOf("docs", "openapi-endpoint.json"))).RootElement;

    [Test]
    public async Task It_describes_the_paths_their_methods_and_their_parameters()
    {
        await using EndpointScene scene = await EndpointScene.StartAsync("rate_per_source = 0");
        foreach (JsonProperty path in Document.GetProperty("paths").EnumerateObject())
        {
            using HttpResponseMessage wrong = await scene.SendAsync("PATCH", path.Name);
            string[] allowed = [.. wrong.Content.Headers.Allow.Except(["HEAD", "OPTIONS"])];
            Assert.That(allowed, Is.EquivalentTo(path.Value.EnumerateObject().Select(v => v.Name.ToUpperInvariant())), path.Name);

            JsonProperty verb = path.Value.EnumerateObject().Single();
            using HttpResponseMessage refused = await scene.SendAsync(verb.Name.ToUpperInvariant(), $"{path.Name}?nope=1");
            string detail = await DetailAsync(refused);
            IEnumerable<string?> described = verb.Value.GetProperty("parameters").EnumerateArray().Select(p => p.GetProperty("name").GetString());
            Assert.That(detail, Does.EndWith($"allowed: {string.Join(", ", described)}"), path.Name);
        }

        using HttpResponseMessage other = await scene.Http.GetAsync("/v1/other");
        string paths = await DetailAsync(other);
        Assert.That(
            paths.Split(' ').Where(w => w.StartsWith('/')), Is.EquivalentTo(Document.GetProperty("paths").EnumerateObject().Select(p => p.Name)));
    }

    [TestCase("GET", "/v1/endpoint?pool=chat", "Endpoint", true)]
    [TestCase("GET", "/v1/endpoint?pool=chat", "Endpoint", false)]
    [TestCase("POST", "/negotiate?pool=chat&negotiateVersion=1", "Negotiation", true)]
    [TestCase("GET", "/v1/endpoint?pool=none", "Problem", false)]
    public async Task An_answer_is_as_it_is_described(string method, string path, string schema, bool signs)
    {
        string secret = signs ? $"secret_file = \"{DaemonProcess.ConfigFileWith(new string('a', 32))}\"" : "";
        await using EndpointScene scene = await EndpointScene.StartAsync(secret);
        using HttpResponseMessage response = await scene.SendAsync(method, path);
        JsonElement answer = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement;
        JsonElement described = Document.GetProperty("components").GetProperty("schemas").GetProperty(schema);
        Assert.That(OpenApiSchema.Faults(Document, described, answer), Is.Empty);
        Assert.That(answer.TryGetProperty("token", out _) || answer.TryGetProperty("accessToken", out _), Is.EqualTo(signs));
    }

    private static async Task<string> DetailAsync(HttpResponseMessage response) =>
        JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement.GetProperty("detail").GetString()!;
}
