using System.Text;
using L4Balancer.Core.Inspection;

namespace L4Balancer.Core.Tests.Inspection;

/// <summary>The normal form of paths (RFC 3986, 6.2.2).</summary>
internal sealed class PercentEncodingTests
{
    [TestCase("/rooms/a", ExpectedResult = "/rooms/a")]
    [TestCase("/%72ooms/%61%2d%7E", ExpectedResult = "/rooms/a-~")]
    [TestCase("/a%2fb%3f%c3%a9", ExpectedResult = "/a%2Fb%3F%C3%A9")]
    [TestCase("/%2561", ExpectedResult = "/%2561")]
    [TestCase("/%zz%4", ExpectedResult = "/%zz%4")]
    [TestCase("/%", ExpectedResult = "/%")]
    [TestCase("//a/./../%2e", ExpectedResult = "//a/./../.")]
    public string Path_has_one_normal_form(string path)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(path);
        string once = Encoding.Latin1.GetString(PercentEncoding.NormalizePath(bytes, new byte[bytes.Length]));
        byte[] again = Encoding.Latin1.GetBytes(once);
        Assert.That(Encoding.Latin1.GetString(PercentEncoding.NormalizePath(again, new byte[again.Length])), Is.EqualTo(once), "stable");
        return once;
    }
}
