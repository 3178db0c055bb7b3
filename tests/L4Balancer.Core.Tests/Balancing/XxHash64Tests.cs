using System.Text;
using L4Balancer.Core.Balancing;

namespace L4Balancer.Core.Tests.Balancing;

[TestFixture]
internal sealed class XxHash64Tests
{
    // The table and the generated buffer of the reference implementation (Cyan4973/xxHash, cli/xsum_sanity_check.c).
    [TestCase(0, 0UL, 0xEF46DB3751D8E999UL)]
    [TestCase(0, 0x9E3779B1UL, 0xAC75FDA2929B17EFUL)]
    [TestCase(1, 0UL, 0xE934A84ADB052768UL)]
    [TestCase(1, 0x9E3779B1UL, 0x5014607643A9B4C3UL)]
    [TestCase(4, 0UL, 0x9136A0DCA57457EEUL)]
    [TestCase(14, 0UL, 0x8282DCC4994E35C8UL)]
    [TestCase(14, 0x9E3779B1UL, 0xC3BD6BF63DEB6DF0UL)]
    [TestCase(222, 0UL, 0xB641AE8CB691C174UL)]
    [TestCase(222, 0x9E3779B1UL, 0x20CB8AB7AE10C14AUL)]
    public void Hash_agrees_with_the_reference_table(int length, ulong seed, ulong expected)
    {
        byte[] buffer = new byte[length];
        ulong generator = 0x9E3779B1;
        for (int i = 0; i < length; i++)
        {
            buffer[i] = (byte)(generator >> 56);
            generator = unchecked(generator * 0x9E3779B185EBCA8D);
        }

        Assert.That(XxHash64.Hash(buffer, seed), Is.EqualTo(expected));
    }

    // 39 bytes pass through every branch: one stripe, one word of four bytes, three single bytes.
    [TestCase("a", 0xD24EC4F1A98C6E5BUL)]
    [TestCase("abc", 0x44BC2CF5AD770999UL)]
    [TestCase("Nobody inspects the spammish repetition", 0xFBCEA83C8A378BF1UL)]
    public void Hash_agrees_with_published_texts(string text, ulong expected) =>
        Assert.That(XxHash64.Hash(Encoding.UTF8.GetBytes(text), 0), Is.EqualTo(expected));
}
