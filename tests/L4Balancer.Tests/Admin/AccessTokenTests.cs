using System.Diagnostics;
using L4Balancer.Admin.Access;

namespace L4Balancer.Tests.Admin;

internal sealed class AccessTokenTests
{
    private string _path = "";

    [SetUp]
    public void Name_a_file() => _path = Path.Combine(Path.GetTempPath(), $"l4balancer-test-{Guid.NewGuid():N}.token");

    [TearDown]
    public void Remove_it() => File.Delete(_path);

    [Test]
    public void What_stands_around_the_token_does_not_belong_to_it()
    {
        AccessToken token = Read("  s3cret-of-16-char\r\n", out string? warning);
        Assert.That(warning, Is.Null);
        Assert.That((token.Exists, token.Matches("s3cret-of-16-char"), token.Matches("s3cret-of-16-char\n"), token.Matches("")), Is.EqualTo((true, true, false, false)));
    }

    [TestCase("")]
    [TestCase(" \n")]
    [TestCase("two words of sixteen characters")]
    [TestCase("ümlaut-and-sixteen-characters")]
    public void A_file_without_a_token_gives_nobody_one(string content)
    {
        AccessToken token = Read(content, out string? warning);
        Assert.That((token.Exists, token.Matches(content), token.Matches("")), Is.EqualTo((false, false, false)));
        Assert.That(warning, Does.Contain("one word").And.Contain("openssl rand"));
        Assert.That(token.Fault, Is.EqualTo("contains no token"));
    }

    [TestCase("a", false)]
    [TestCase("fifteen-letters", false)]
    [TestCase("sixteen-letters-", true)]
    public void A_token_that_could_be_guessed_is_refused_with_the_way_to_a_better_one(string content, bool taken)
    {
        AccessToken token = Read(content + "\n", out string? warning);
        Assert.That((token.Exists, token.Matches(content)), Is.EqualTo((taken, taken)));
        Assert.That(warning, taken ? Is.Null : Does.Contain($"{content.Length} characters").And.Contain("openssl rand -hex 32"));
        Assert.That(token.Fault, taken ? Is.Null : Does.Contain("fewer than 16 characters"));
    }

    [Test]
    public void A_file_that_is_far_too_long_is_no_token() => Assert.That(Read(new string('a', 5000), out _).Exists, Is.False);

    [Test]
    public void A_missing_file_gives_nobody_a_token()
    {
        Assert.That(AccessToken.Read(_path, out string? warning).Exists, Is.False);
        Assert.That(warning, Does.Contain("cannot be read").And.Contain("reload").And.Contain("chown root:l4balancer"));
        Assert.That(AccessToken.Read(_path, out _).Fault, Is.EqualTo("cannot be read"));
    }

    [Test]
    public void No_file_is_no_fault()
    {
        Assert.That(AccessToken.Read("", out string? warning).Exists, Is.False);
        Assert.That(warning, Is.Null);
    }

    [TestCase(UnixFileMode.GroupRead, null)]
    [TestCase(UnixFileMode.OtherRead, "chmod o-r")]
    [TestCase(UnixFileMode.OtherWrite, "chmod o-w")]
    [TestCase(UnixFileMode.GroupRead | UnixFileMode.GroupWrite, "chmod g-w")]
    [TestCase(UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.GroupWrite, "chmod o-r,o-w,g-w")]
    [Platform("Linux")]
    public void A_file_that_others_can_read_or_write_works_and_is_warned_of(UnixFileMode more, string? remedy)
    {
        AccessToken token = Read("s3cret-of-16-char", out string? warning, UnixFileMode.UserRead | more);
        Assert.That(token.Matches("s3cret-of-16-char"), Is.True);
        Assert.That(warning, remedy is null ? Is.Null : Does.EndWith(remedy));
    }

    [TestCase(0u, UnixFileMode.UserRead | UnixFileMode.GroupRead, "chown root:l4balancer")]
    [TestCase(4242u, UnixFileMode.UserRead | UnixFileMode.GroupRead, null)]
    [TestCase(4242u, UnixFileMode.UserRead, "chown root:l4balancer")]
    [Platform("Linux")]
    public void Check_warns_as_root_of_a_file_that_only_root_can_read(uint group, UnixFileMode mode, string? remedy)
    {
        if (!Environment.IsPrivilegedProcess)
        {
            Assert.Ignore("only root can give a file to another group");
        }

        Read("s3cret-of-16-char", out _, mode);
        using (Process chgrp = Process.Start("chgrp", [$"{group}", _path]))
        {
            chgrp.WaitForExit();
        }

        Assert.That(TokenFile.Warning(_path), remedy is null ? Is.Null : Does.Contain(remedy));
    }

    [Test]
    [Platform("Linux")]
    public void Check_leaves_a_pipe_alone_which_nobody_writes()
    {
        using (Process mkfifo = Process.Start("mkfifo", [_path]))
        {
            mkfifo.WaitForExit();
        }

        Assert.That(TokenFile.Warning(_path), Is.Null);
        Assert.That(TokenFile.Warning(""), Is.Null);
    }

    [Test]
    public void Check_tells_of_a_file_that_is_missing() => Assert.That(TokenFile.Warning(_path), Does.Contain("cannot be read"));

    private AccessToken Read(string content, out string? warning, UnixFileMode mode = UnixFileMode.UserRead)
    {
        File.WriteAllText(_path, content);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(_path, mode);
        }

        return AccessToken.Read(_path, out warning);
    }
}
