using L4Balancer.Core.Config;

namespace L4Balancer.Core.Tests.Config;

/// <summary>The table <c>[fleet]</c>.</summary>
internal sealed class FleetSettingsTests
{
    [Test]
    public void Without_the_table_a_balancer_is_alone() => Assert.That(new ConfigText().Load().Fleet, Is.Null);

    [Test]
    public void The_rest_has_defaults()
    {
        FleetSettings fleet = new ConfigText().With("[fleet]").Load().Fleet!;

        Assert.That((fleet.Name, fleet.Id, fleet.Lease, fleet.Health), Is.EqualTo(("chat", "", TimeSpan.FromSeconds(5), FleetHealth.Own)));
        Assert.That(fleet.Etcd.Select(e => e.ToString()), Is.EqualTo(new[] { "http://127.0.0.1:2379/" }));
    }

    [TestCase("name", "\"a/b\"", "\"a/b\" is not a name")]
    [TestCase("id", "\"lb 1\"", "\"lb 1\" is not a name")]
    [TestCase("etcd", "[]", "is empty")]
    [TestCase("etcd", "[\"10.0.0.1:2379\"]", "is not the URL of an etcd member")]
    [TestCase("etcd", "[\"ftp://10.0.0.1\"]", "is not the URL of an etcd member")]
    [TestCase("etcd", "[\"http://10.0.0.1:2379/v3\"]", "is not the URL of an etcd member")]
    [TestCase("etcd", "[\"http://root:secret@10.0.0.1:2379\"]", "is not the URL of an etcd member")]
    [TestCase("lease", "\"1s\"", "out of range")]
    [TestCase("lease", "\"2500ms\"", "not a whole number of seconds")]
    [TestCase("health", "\"votes\"", "allowed: \"own\", \"vote\"")]
    [TestCase("token_file", "\"token\"", "is not a path")]
    public void A_mistake_is_named(string key, string value, string expected) =>
        Assert.That(string.Join('\n', new ConfigText().With("[fleet]", key, value).Errors()), Does.Contain($"fleet.{key}").And.Contain(expected));

    [TestCase("cert_file", "key_file")]
    [TestCase("password_file", "user")]
    public void One_of_a_pair_alone_is_a_mistake(string set, string missing) => Assert.That(
        new ConfigText().With("[fleet]", set, "\"/x\"").Without("[fleet]", missing).Errors().Single(), Does.Contain($"has no effect without {missing}"));

    [Test]
    public void Name_and_etcd_are_required() => Assert.That(
        new ConfigText().With("[fleet]").Without("[fleet]", "name").Without("[fleet]", "etcd").Errors(), Has.Length.EqualTo(2));
}
