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
        AccessToken token = Read("  s3cret\r\n", out string? warning);
        Assert.That(warning, Is.Null);
        Assert.That((token.Exists, token.Matches("s3cret"), token.Matches("s3cret\n"), token.Matches("")), Is.EqualTo((true, true, false, false)));
    }

    [TestCase("")]
    [TestCase(" \n")]
    [TestCase("two words")]
    [TestCase("ümlaut")]
    public void A_file_without_a_token_gives_nobody_one(string content)
    {
        AccessToken token = Read(content, out string? warning);
        Assert.That((token.Exists, token.Matches(content), token.Matches("")), Is.EqualTo((false, false, false)));
        Assert.That(warning, Does.Contain("one word"));
    }

    [Test]
    public void A_file_that_is_far_too_long_is_no_token() => Assert.That(Read(new string('a', 5000), out _).Exists, Is.False);

    [Test]
    public void A_missing_file_gives_nobody_a_token()
    {
        Assert.That(AccessToken.Read(_path, out string? warning).Exists, Is.False);
        Assert.That(warning, Does.Contain("cannot be read").And.Contain("reload"));
    }

    [Test]
    public void No_file_is_no_fault()
    {
        Assert.That(AccessToken.Read("", out string? warning).Exists, Is.False);
        Assert.That(warning, Is.Null);
    }

    [Test]
    [Platform("Linux")]
    public void A_file_that_everyone_can_read_works_and_is_warned_of()
    {
        AccessToken token = Read("s3cret", out string? warning, UnixFileMode.UserRead | UnixFileMode.OtherRead);
        Assert.That(token.Matches("s3cret"), Is.True);
        Assert.That(warning, Does.Contain("chmod o-r"));
    }

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
