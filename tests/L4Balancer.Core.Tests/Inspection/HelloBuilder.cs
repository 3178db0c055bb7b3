using System.Text;

namespace L4Balancer.Core.Tests.Inspection;

/// <summary>Builds ClientHellos that the samples do not contain.</summary>
internal static class HelloBuilder
{
    /// <summary>A hello with these extensions, in one record.</summary>
    public static byte[] Hello(params byte[][] extensions) => Record(Message(extensions));

    public static byte[] Record(byte[] fragment) => [22, 3, 1, (byte)(fragment.Length >> 8), (byte)fragment.Length, .. fragment];

    public static byte[] Message(params byte[][] extensions)
    {
        byte[] all = [.. extensions.SelectMany(e => e)];
        byte[] body =
        [
            3, 3, .. new byte[32], 0, 0, 4, 0x0A, 0x0A, 0x13, 0x01, 1, 0, (byte)(all.Length >> 8), (byte)all.Length, .. all,
        ];
        return [1, (byte)(body.Length >> 16), (byte)(body.Length >> 8), (byte)body.Length, .. body];
    }

    public static byte[] Extension(int type, params byte[] data) =>
        [(byte)(type >> 8), (byte)type, (byte)(data.Length >> 8), (byte)data.Length, .. data];

    public static byte[] ServerName(params string[] names) => Extension(0, Vector16([.. names.SelectMany(n => Entry(0, n))]));

    public static byte[] Entry(byte type, string name) => [type, .. Vector16(Encoding.Latin1.GetBytes(name))];

    public static byte[] Vector16(byte[] bytes) => [(byte)(bytes.Length >> 8), (byte)bytes.Length, .. bytes];

    public static byte[] Alpn(params string[] names) =>
        Extension(16, Vector16([.. names.SelectMany(n => (byte[])[(byte)n.Length, .. Encoding.Latin1.GetBytes(n)])]));
}
