using System.Collections.Immutable;
using L4Balancer.Core.Config;
using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Tests.Config;

/// <summary>As many backends as a pool may have.</summary>
internal sealed class ConfigSizeTests
{
    [Test]
    public void Sixty_thousand_backends_bind_without_a_quadratic_search()
    {
        TomlDocument document = WithBackends(60_000);
        long started = TimeProvider.System.GetTimestamp();

        ConfigResult result = ConfigReader.Read(document);

        Assert.That(result.Config?.Pools[0].Backends.Length, Is.EqualTo(60_000));
        // 1.8 billion comparisons, what comparing each with each would be, do not fit in here; a slow machine does.
        Assert.That(TimeProvider.System.GetElapsedTime(started), Is.LessThan(TimeSpan.FromSeconds(5)));
    }

    [Test]
    public void More_backends_than_a_ring_can_number_are_refused()
    {
        Assert.That(ConfigReader.Read(WithBackends(65_000)).Errors, Is.Empty);
        Assert.That(
            ConfigReader.Read(WithBackends(65_001)).Errors.Select(e => e.Format("b.toml")),
            Is.EqualTo(["b.toml:65010:1: error: pools[0].backends: more than 65000 backends; allowed: 1 to 65000 in a pool"]));
    }

    // Nodes instead of text: only the binding is looked at.
    private static TomlDocument WithBackends(int count)
    {
        ImmutableArray<TomlNode> backends = [.. Enumerable.Range(0, count).Select(i => Table(
            i + 10,
            ("name", new TomlString(new(i + 10, 1), $"ws{i}")),
            ("address", new TomlString(new(i + 10, 9), $"10.{i >> 16}.{(i >> 8) & 255}.{i & 255}:80"))))];
        TomlTable pool = Table(5, ("name", new TomlString(new(6, 8), "chat")), ("backends", new TomlArray(new(10, 1), backends)));
        TomlTable listener = Table(
            1,
            ("name", new TomlString(new(2, 8), "wss")),
            ("bind", new TomlArray(new(3, 8), [new TomlString(new(3, 9), "0.0.0.0:443")])),
            ("pool", new TomlString(new(4, 8), "chat")));
        TomlTable root = Table(1, ("listeners", new TomlArray(new(1, 1), [listener])), ("pools", new TomlArray(new(5, 1), [pool])));

        return new TomlDocument(root, []);
    }

    private static TomlTable Table(int line, params (string Key, TomlNode Value)[] entries) =>
        new(new TomlPosition(line, 1), [.. entries.Select(e => new TomlEntry(e.Key, new TomlPosition(line, 1), e.Value))]);
}
