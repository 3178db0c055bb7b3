using System.Text;

namespace L4Balancer.CommandLine;

/// <summary>
/// The alternate screen of a terminal (ECMA-48; xterm's mode 1049): what was on the screen before comes back at the end. The cursor is hidden
/// meanwhile.
/// </summary>
internal sealed class FullScreen : IDisposable
{
    private const string Enter = "\e[?1049h\e[?25l";
    private const string Leave = "\e[?25h\e[?1049l";
    private const string Home = "\e[H";
    private const string EraseLine = "\e[K";
    private const string EraseBelow = "\e[J";
    private const string Bold = "\e[1m";
    private const string Reverse = "\e[7m";
    private const string Plain = "\e[0m";
    private const string Underlined = "\e[4m";
    private const string Green = "\e[32m";
    private const string Yellow = "\e[33m";
    private const string Red = "\e[31m";

    private readonly TextWriter _output;
    private bool _isLeft;

    public FullScreen(TextWriter output)
    {
        _output = output;
        _output.Write(Enter);
    }

    /// <summary>Columns and rows; 80 by 24 where the terminal does not know.</summary>
    public static (int Width, int Height) Size => Console.WindowWidth > 0 && Console.WindowHeight > 0
        ? (Console.WindowWidth, Console.WindowHeight)
        : (80, 24);

    /// <summary>The terminal has no cursor that could be moved.</summary>
    public static bool IsDumb => Environment.GetEnvironmentVariable("TERM") == "dumb";

    /// <param name="heading">Index of the line that is shown in bold reverse video; -1: none.</param>
    /// <param name="cursor">Index of the line that is shown in reverse video over the whole width; -1: none.</param>
    /// <param name="paints">What is shown in a tone.</param>
    public void Draw(IReadOnlyList<string> lines, int heading, int cursor, IReadOnlyList<TopPaint> paints)
    {
        int width = Size.Width;
        ILookup<int, TopPaint> painted = paints.ToLookup(static p => p.Line);
        IEnumerable<string> shown = lines.Select((line, i) => i == heading ? Painted(line.PadRight(width), Bold + Reverse, painted[i])
            : i == cursor ? Painted(line.PadRight(width), Reverse, painted[i]) : EraseLine + Painted(line, "", painted[i]));

        // Lines are erased before they are written: after the last column the cursor still stands on it, and erasing would take that character away.
        _output.Write(Home + string.Join("\r\n", shown) + (lines.Count < Size.Height ? $"\r\n{EraseBelow}" : ""));
        _output.Flush();
    }

    private static string Painted(string line, string ground, IEnumerable<TopPaint> paints)
    {
        var text = new StringBuilder(ground);
        int at = 0;
        foreach (TopPaint paint in paints.Where(p => CodeOf(p.Tone).Length > 0).OrderBy(static p => p.Start))
        {
            int start = Math.Clamp(paint.Start, at, line.Length);
            int end = Math.Clamp(paint.Start + paint.Length, start, line.Length);
            text.Append(line, at, start - at).Append(CodeOf(paint.Tone)).Append(line, start, end - start).Append(Plain).Append(ground);
            at = end;
        }

        return text.Append(line, at, line.Length - at).Append(ground.Length > 0 ? Plain : "").ToString();
    }

    private static string CodeOf(TopTone tone) => tone switch
    {
        TopTone.Key => Bold,
        TopTone.Sorted => Underlined,
        _ when Screen.Colourless => "",
        TopTone.Good => Green,
        TopTone.Warning => Yellow,
        _ => Red,
    };

    public void Dispose()
    {
        if (!_isLeft)
        {
            _isLeft = true;
            _output.Write(Leave);
            _output.Flush();
        }
    }
}
