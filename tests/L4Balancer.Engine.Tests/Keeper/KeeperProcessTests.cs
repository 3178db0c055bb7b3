using System.Runtime.Versioning;
using L4Balancer.Engine.Keeper;
using L4Balancer.Engine.Ledger;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Tests.Keeper;

/// <summary>How a keeper is started, or why there is none.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
[SupportedOSPlatform("linux")]
internal sealed class KeeperProcessTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("l4-keeper-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Test]
    public void Build_without_the_code_has_none_and_says_so_and_leaves_nothing()
    {
        long before = Descriptors.CountOpen();
        string path = Path.Combine(_root, "keeper");
        Assert.That(KeeperProcess.TryStart(path, TimeSpan.FromSeconds(1), out string? fault), Is.Null);
        Assert.That(fault, Does.StartWith("this build does not have it"));
        Assert.That(File.Exists(path), Is.False);
        Assert.That(Descriptors.CountOpen(), Is.LessThanOrEqualTo(before + 2), "nothing is left open");
    }

    [Test]
    public void Path_that_no_socket_can_have_is_a_fault_in_words()
    {
        Assert.That(KeeperProcess.TryStart("/" + new string('x', 107), TimeSpan.FromSeconds(1), out string? fault), Is.Null);
        Assert.That(fault, Does.StartWith("the path of its socket is longer than 107 bytes"));
    }

    [Test]
    public void Folder_is_made_for_the_owner_alone()
    {
        string path = Path.Combine(_root, "private");
        KeeperFolder folder = KeeperFolder.TryPrepare(path, out _)!;
        Assert.That(File.GetUnixFileMode(path), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute));
        Assert.That(folder.SocketOf(new LedgerWriter(1, 2, 4711, 99)), Is.EqualTo(Path.Combine(path, "keeper-4711-99")));
        Assert.That(KeeperFolder.TryPrepare(path, out _), Is.Not.Null, "it may be there already");

        File.SetUnixFileMode(path, File.GetUnixFileMode(path) | UnixFileMode.OtherExecute);
        Assert.That(KeeperFolder.TryPrepare(path, out string? fault), Is.Null);
        Assert.That(fault, Is.EqualTo($"{path} can be entered by other users: its mode must be 0700"));
    }

    [Test]
    public void Link_and_file_are_no_folder()
    {
        string file = Path.Combine(_root, "file");
        File.WriteAllText(file, "");
        Assert.That(KeeperFolder.TryPrepare(file, out string? fault), Is.Null);
        Assert.That(fault, Is.Not.Empty);

        string link = Path.Combine(_root, "link");
        Directory.CreateSymbolicLink(link, _root);
        Assert.That(KeeperFolder.TryPrepare(link, out fault), Is.Null);
        Assert.That(fault, Is.EqualTo($"{link} is not a directory"));
    }

    [Test]
    public void No_keeper_is_a_fault_in_words()
    {
        string path = Path.Combine(_root, "keeper");
        Assert.That(KeeperConnection.TryConnect(path, TimeSpan.FromSeconds(1), out string? fault), Is.Null);
        Assert.That(fault, Is.EqualTo($"{path}: ENOENT"));
    }
}
