using System.Globalization;
using System.Text;
using L4Balancer.Engine.Ledger;

namespace L4Balancer.Engine.Tests.Ledger;

/// <summary>A ledger of version 1: offsets and bytes as docs/ledger.md has them, written by hand. What is not listed is zero.</summary>
internal static class GoldenLedger
{
    public const int ListeningAt = 0x4000;
    public const int NamesAt = 0x6000;
    public const int EntriesAt = 0x7000;

    public static readonly LedgerShape Shape = new(Workers: 1, Slots: 4, Pipes: 2, Names: 16, Overrides: 2, Listening: 2);

    private const int Length = 0x8000;

    private const string Text = """
        0000 4C34 4C45 4447 4552 01000000 01000000
        0010 0300000000000000 0102030405060708
        0020 090A0B0C0D0E0F10 67120000 01000000
        0030 40E2010000000000 04000000 02000000
        0040 10000000 02000000 02000000 80000000
        0050 0080000000000000 8913000000000000
        0060 03000000 03000000 01000000
        1000 04000000
        3000 03000000 01 01 0000 19000000
        4000 01000000 14000000 2020000000000000
        4010 01000000
        5000 01000000 28000000 29000000 00000400
        5010 4040000000000000
        6000 01 00 0300
        6020 777373
        6100 02 00 0400 00000000 AAAA000000000000
        6110 BBBB000000000000
        6120 63686174
        6200 03 00 0300 02000000
        6220 62C3A9
        7000 01 00 00 01 1E000000 1F000000 0100 0000
        7010 3030000000000000 3131000000000000
        7020 8803000000000000 B168DE3A00000000
        7030 0F000000 FA000000 01000000 03000000
        7040 20010DB8000000000000000000000007
        7050 00000000000000000000FFFFC6336401
        7060 22C8 BB01 419C 0300 02000000 01 01
        7070 1111000000000000 2222000000000000
        7080 02 00 01 00 20000000 21000000
        7090 3232000000000000 3333000000000000
        70A0 8903000000000000 B168DE3A00000000
        70B0 00000000 00000000 01000000 03000000
        """;

    public static byte[] Bytes()
    {
        var bytes = new byte[Length];
        foreach (string line in Text.Split('\n'))
        {
            byte[] row = Convert.FromHexString(line[5..].Replace(" ", "", StringComparison.Ordinal).Trim());
            row.CopyTo(bytes.AsSpan(int.Parse(line.AsSpan(0, 4), NumberStyles.HexNumber, CultureInfo.InvariantCulture)));
        }

        return bytes;
    }

    /// <summary>The rows that are not zero, for a difference that can be read.</summary>
    public static string TextOf(byte[] bytes)
    {
        var text = new StringBuilder();
        for (int at = 0; at < bytes.Length; at += 16)
        {
            if (bytes.AsSpan(at, 16).ContainsAnyExcept((byte)0))
            {
                text.AppendLine(CultureInfo.InvariantCulture, $"{at:X4} {Convert.ToHexString(bytes, at, 16)}");
            }
        }

        return text.ToString();
    }
}
