using System.Runtime.Versioning;
using L4Balancer.Engine.Keeper;

namespace L4Balancer.Engine.Tests.Keeper;

/// <summary>One heir at a time.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
[Platform("Linux")]
[SupportedOSPlatform("linux")]
internal sealed class HeirLockTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("l4-keeper-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Test]
    public void Second_heir_waits_until_the_first_is_done()
    {
        KeeperFolder folder = KeeperFolder.TryPrepare(Path.Combine(_root, "keeper"), out _)!;
        using (HeirLock? first = HeirLock.TryTake(folder, TimeSpan.Zero))
        {
            Assert.That(first, Is.Not.Null);
            Assert.That(File.GetUnixFileMode(folder.HeirsLock), Is.EqualTo(UnixFileMode.UserRead | UnixFileMode.UserWrite));
            using HeirLock? early = HeirLock.TryTake(folder, TimeSpan.FromMilliseconds(30));
            Assert.That(early, Is.Null);
        }

        using HeirLock? second = HeirLock.TryTake(folder, TimeSpan.Zero);
        Assert.That(second, Is.Not.Null);
    }

    [Test]
    public void Lock_is_in_no_table_that_the_keeper_shares()
    {
        KeeperFolder folder = KeeperFolder.TryPrepare(Path.Combine(_root, "keeper"), out _)!;
        using HeirLock? heir = HeirLock.TryTake(folder, TimeSpan.Zero);
        IEnumerable<string?> open = new DirectoryInfo("/proc/self/fd").GetFileSystemInfos().Select(static f => f.LinkTarget);
        Assert.That(open, Has.None.EqualTo(folder.HeirsLock));
    }
}
