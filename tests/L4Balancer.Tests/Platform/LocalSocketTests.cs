using L4Balancer.Core.Config;
using L4Balancer.Platform;

namespace L4Balancer.Tests.Platform;

internal sealed class LocalSocketTests
{
    [TestCase(true, null, null, ExpectedResult = "/run/l4balancer/admin.sock")]
    [TestCase(true, "/run/user/0", null, ExpectedResult = "/run/l4balancer/admin.sock")]
    [TestCase(false, "/run/user/1000", null, ExpectedResult = "/run/user/1000/l4balancer/admin.sock")]
    [TestCase(false, null, "/run/l4balancer", ExpectedResult = "/run/l4balancer/admin.sock")]
    [TestCase(false, "/run/user/1000", "/run/one:/run/two", ExpectedResult = "/run/one/admin.sock")]
    [TestCase(false, null, null, ExpectedResult = null)]
    [TestCase(false, "", "", ExpectedResult = null)]
    public string? A_daemon_s_default_goes_by_who_it_is(bool root, string? user, string? service) =>
        LocalSocket.ForDaemon(AdminSettings.DefaultSocket, root, Variables(user, service));

    [TestCase(true)]
    [TestCase(false)]
    public void A_path_that_is_set_stays(bool root) =>
        Assert.That(LocalSocket.ForDaemon("/srv/a.sock", root, Variables("/run/user/1000", null)), Is.EqualTo("/srv/a.sock"));

    [Test]
    public void A_command_prefers_the_user_s_own_daemon_where_there_is_one()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("l4balancer-test-");
        try
        {
            Assert.That(LocalSocket.ForClient(false, Variables(folder.FullName, null)), Is.EqualTo(AdminSettings.DefaultSocket));
            string own = Path.Combine(folder.CreateSubdirectory("l4balancer").FullName, "admin.sock");
            File.WriteAllText(own, "");
            Assert.That(LocalSocket.ForClient(false, Variables(folder.FullName, null)), Is.EqualTo(own));
            Assert.That(LocalSocket.ForClient(true, Variables(folder.FullName, null)), Is.EqualTo(AdminSettings.DefaultSocket));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static Func<string, string?> Variables(string? user, string? service) => name => name switch
    {
        LocalSocket.UserFolderVariable => user,
        LocalSocket.ServiceFolderVariable => service,
        _ => null,
    };
}
