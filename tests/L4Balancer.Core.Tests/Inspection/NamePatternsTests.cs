using System.Text;
using L4Balancer.Core.Inspection;

namespace L4Balancer.Core.Tests.Inspection;

/// <summary>The patterns of routes: names and paths.</summary>
internal sealed class NamePatternsTests
{
    [TestCase("chat.example.com", "chat.example.com", ExpectedResult = true)]
    [TestCase("chat.example.com", "Chat.Example.COM", ExpectedResult = true)]
    [TestCase("CHAT.example.com.", "chat.example.com", ExpectedResult = true)]
    [TestCase("chat.example.com", "a.chat.example.com", ExpectedResult = false)]
    [TestCase("*.example.com", "a.example.com", ExpectedResult = true)]
    [TestCase("*.example.com", "a.b.example.com", ExpectedResult = true)]
    [TestCase("*.example.com", "example.com", ExpectedResult = false)]
    [TestCase("*.example.com", ".example.com", ExpectedResult = false)]
    [TestCase("*.example.com", "aexample.com", ExpectedResult = false)]
    [TestCase("*.example.com", "a.example.com.evil.test", ExpectedResult = false)]
    [TestCase("*.com", "example.com", ExpectedResult = true)]
    [TestCase("*.example.com", "", ExpectedResult = false)]
    [TestCase("*.example.com", "a..example.com", ExpectedResult = false)]
    public bool Name_is_exact_or_has_one_label_or_more_before_the_suffix(string pattern, string name)
    {
        Assert.That(NamePatterns.TryParse(pattern, out string? parsed), Is.True);
        return new NamePatterns([parsed!]).Matches(Encoding.Latin1.GetBytes(name));
    }

    [Test]
    public void Many_patterns_are_one_set()
    {
        NamePatterns patterns = new(Enumerable.Range(0, 1000).SelectMany(i => (string[])[$"n{i}.test", $"*.w{i}.test"]));

        Assert.That(patterns.Matches("n999.test"u8), Is.True);
        Assert.That(patterns.Matches("x.y.w999.test"u8), Is.True);
        Assert.That(patterns.Matches("w999.test"u8), Is.False);
        Assert.That(patterns.Matches("\xFF.test"u8), Is.False);
        Assert.That(patterns.IsEmpty, Is.False);
        Assert.That(new NamePatterns([]).IsEmpty, Is.True);
        Assert.That(new NamePatterns([]).Matches("a.test"u8), Is.False);
    }

    [Test]
    public void Names_longer_than_DNS_names_match_nothing() =>
        Assert.That(new NamePatterns(["*.test"]).Matches(Encoding.ASCII.GetBytes(new string('a', 256) + ".test")), Is.False);

    [Test]
    public void Matching_allocates_nothing()
    {
        NamePatterns patterns = new(["a.test", "*.b.test"]);
        bool isMatched = patterns.Matches("x.y.b.test"u8);
        long before = GC.GetAllocatedBytesForCurrentThread();

        isMatched &= patterns.Matches("x.y.b.test"u8);

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
        Assert.That(isMatched, Is.True);
    }

    [TestCase("")]
    [TestCase(null)]
    [TestCase("*")]
    [TestCase("*.")]
    [TestCase("a.*.test")]
    [TestCase("*a.test")]
    [TestCase("*.*.test")]
    [TestCase(".test")]
    [TestCase("a..test")]
    [TestCase("b\u00fccher.test")]
    [TestCase("192.0.2.1")]
    [TestCase("2001:db8::1")]
    [TestCase("a.test:443")]
    [TestCase("a b")]
    public void What_is_no_pattern_is_refused(string? text) => Assert.That(NamePatterns.TryParse(text, out _), Is.False);

    [TestCase("/rooms/*", "/rooms/42", ExpectedResult = true)]
    [TestCase("/rooms/*", "/rooms/", ExpectedResult = true)]
    [TestCase("/rooms/*", "/rooms", ExpectedResult = false)]
    [TestCase("/rooms/*", "/Rooms/42", ExpectedResult = false)]
    [TestCase("/rooms/*", "//rooms/42", ExpectedResult = false)]
    [TestCase("/rooms/*", "/%72ooms/42", ExpectedResult = true)]
    [TestCase("/rooms/*", "/rooms%2F42", ExpectedResult = false)]
    [TestCase("/rooms*", "/rooms-a", ExpectedResult = true)]
    [TestCase("/*", "/", ExpectedResult = true)]
    [TestCase("/*", "", ExpectedResult = false)]
    [TestCase("/ws", "/ws", ExpectedResult = true)]
    [TestCase("/ws", "/ws/", ExpectedResult = false)]
    [TestCase("/caf\u00e9", "/caf%c3%a9", ExpectedResult = true)]
    [TestCase("/caf%c3%a9", "/caf%C3%A9", ExpectedResult = true)]
    public bool Path_is_exact_or_a_prefix(string pattern, string path)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(path);
        return PathPattern.Parse(pattern)!.Matches(PercentEncoding.NormalizePath(bytes, new byte[bytes.Length]));
    }

    [TestCase("")]
    [TestCase(null)]
    [TestCase("*")]
    [TestCase("rooms/*")]
    [TestCase("/a*b")]
    [TestCase("/**")]
    [TestCase("/a?b")]
    [TestCase("/a#b")]
    [TestCase("/a b")]
    [TestCase("/a\t")]
    public void What_is_no_path_pattern_is_refused(string? text) => Assert.That(PathPattern.Parse(text), Is.Null);
}
