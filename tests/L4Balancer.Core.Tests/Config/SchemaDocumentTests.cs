using System.Text.Json.Nodes;
using L4Balancer.Core.Config;

namespace L4Balancer.Core.Tests.Config;

/// <summary>docs/balancer.schema.json against the schema of the reader.</summary>
internal sealed class SchemaDocumentTests
{
    private const string Path = "docs/balancer.schema.json";

    /// <summary>Set to a folder, it gets the schema that the repository should have.</summary>
    private const string WriteTo = "L4BALANCER_WRITE_SCHEMA";

    [Test]
    public void The_schema_in_docs_is_the_one_of_the_reader()
    {
        string text = SchemaDocument.Text();
        if (Environment.GetEnvironmentVariable(WriteTo) is { Length: > 0 } folder)
        {
            File.WriteAllText(System.IO.Path.Combine(folder, "balancer.schema.json"), text);
        }

        Assert.That(RepositoryFile.Read(Path), Is.EqualTo(text), $"run this test with {WriteTo}=docs, from the top of the repository");
    }

    [TestCase("balancer.workers", "integer", 0, 1024)]
    [TestCase("listeners.backlog", "integer", 1, 65535)]
    [TestCase("pools.panic_threshold", "number", 0, 1)]
    public void A_number_has_its_range(string key, string type, int least, int most)
    {
        JsonObject value = Property(key);

        Assert.That(value["type"]!.ToString(), Is.EqualTo(type));
        Assert.That((value["minimum"]!.ToString(), value["maximum"]!.ToString()), Is.EqualTo(($"{least}", $"{most}")));
    }

    [Test]
    public void Words_durations_sizes_and_tables_are_known()
    {
        Assert.That(Property("balancer.engine")["anyOf"]![0]!["enum"]!.ToJsonString(), Is.EqualTo("""["auto","epoll","managed"]"""));
        Assert.That(Property("pools.idle_timeout")["$ref"]!.ToString(), Is.EqualTo("#/definitions/duration"));
        Assert.That(Property("listeners.send_buffer")["$ref"]!.ToString(), Is.EqualTo("#/definitions/size"));
        Assert.That(Property("listeners.bind")["type"]!.ToString(), Is.EqualTo("array"));
        Assert.That(Property("pools.source_net")["properties"]!.AsObject().Select(p => p.Key), Is.EqualTo(["v4", "v6"]));
        Assert.That(Property("pools.backends.name")["description"]!.ToString(), Is.Not.Empty);
    }

    [Test]
    public void Every_key_that_works_is_in_it_with_a_type() => Assert.That(
        ConfigSchemaTests.Paths().Where(p => p[^1].Form != KeyForm.NotYet).Select(p => Property(string.Join('.', p.Select(k => k.Name)))),
        Has.All.Matches<JsonObject>(p => p.ContainsKey("type") || p.ContainsKey("$ref") || p.ContainsKey("anyOf")));

    private static JsonObject Property(string key)
    {
        JsonObject at = JsonNode.Parse(SchemaText.Value)!.AsObject();
        foreach (string step in key.Split('.'))
        {
            at = (at["items"]?.AsObject() ?? at)["properties"]![step]!.AsObject();
        }

        return at;
    }

    private static readonly Lazy<string> SchemaText = new(SchemaDocument.Text);
}
