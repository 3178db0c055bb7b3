using System.Text;

namespace L4Balancer.Fuzz.Targets;

/// <summary>Inputs and parts of them that are written as text.</summary>
internal static class Texts
{
    /// <summary>One byte for each character.</summary>
    public static byte[][] Of(params string[] texts) => [.. texts.Select(Encoding.Latin1.GetBytes)];

    /// <summary>What a person reads in a terminal is one line without control characters.</summary>
    public static void CheckShown(string text) =>
        Finding.Unless(text.Length > 0 && !text.Any(char.IsControl), $"a message with control characters, or none: {Convert.ToHexString(Encoding.UTF8.GetBytes(text))}");
}
