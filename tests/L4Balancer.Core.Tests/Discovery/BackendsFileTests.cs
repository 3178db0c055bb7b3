using System.Text;
using L4Balancer.Core.Discovery;

namespace L4Balancer.Core.Tests.Discovery;

/// <summary>The file of the source <c>file</c>.</summary>
internal sealed class BackendsFileTests
{
    [Test]
    public void Each_table_is_a_backend_and_only_its_address_is_needed()
    {
        SourceReading.Complete set = Complete("""
            [[backends]]
            address = "10.0.0.1:443"

            [[backends]]
            name = "b"
            address = "[2001:db8::1]:443"
            weight = 0
            backup = true
            max_connections = 7
            public_url = "wss://b.example.com/"
            """);

        Assert.That(set.Version, Is.EqualTo("v"));
        Assert.That(set.Backends[0] is { Name: "", Weight: 100, Backup: false, MaxConnections: 0, PublicUrl: "" });
        Assert.That(set.Backends[1] is { Name: "b", Weight: 0, Backup: true, MaxConnections: 7, PublicUrl: "wss://b.example.com/" });
        Assert.That(string.Join(' ', set.Backends.Select(b => b.Address)), Is.EqualTo("10.0.0.1:443 [2001:db8::1]:443"));
    }

    [TestCase("")]
    [TestCase("backends = []")]
    [TestCase("# nobody\n")]
    public void A_file_without_backends_is_an_empty_set(string text) => Assert.That(Complete(text).Backends, Is.Empty);

    [TestCase("[[backends]]\nname = 'a'", "1:1: backends[0].address: missing; needed: an IP address with a port, like \"10.0.0.1:443\"")]
    [TestCase("[[backends]]\naddress = 'ws1:80'", "2:11: backends[0].address: \"ws1:80\" has a host name; an address is needed here; allowed: an IP address with a port")]
    [TestCase("[[backends]]\naddress = '0.0.0.0:80'", "2:11: backends[0].address: \"0.0.0.0:80\" is the wildcard address and cannot be connected to")]
    [TestCase("[[backends]]\naddress = '10.0.0.1:80'\nweigth = 1", "3:1: backends[0].weigth: unknown key in [[backends]]; the nearest known key is \"weight\"")]
    [TestCase("[[backends]]\naddress = '10.0.0.1:80'\n[[backends]]\naddress = '10.0.", "4:11: ")]
    [TestCase("[[pools]]\nname = 'a'", "1:3: pools: unknown key in the file")]
    public void A_mistake_anywhere_makes_all_of_it_unknown_and_is_told_with_its_line(string text, string why) =>
        Assert.That(BackendsFile.Read(Encoding.UTF8.GetBytes(text), "v"), Is.InstanceOf<SourceReading.Unknown>().With.Property("Why").StartsWith(why));

    private static SourceReading.Complete Complete(string text) => (SourceReading.Complete)BackendsFile.Read(Encoding.UTF8.GetBytes(text), "v");
}
