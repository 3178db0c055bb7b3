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

    /// <param name="heading">Index of the line that is shown in bold reverse video; -1: none.</param>
    /// <param name="cursor">Index of the line that is shown in reverse video over the whole width; -1: none.</param>
    public void Draw(IReadOnlyList<string> lines, int heading, int cursor)
    {
        int width = Size.Width;
        IEnumerable<string> shown = lines.Select((line, i) => i == heading ? $"{Bold}{Reverse}{line.PadRight(width)}{Plain}"
            : i == cursor ? $"{Reverse}{line.PadRight(width)}{Plain}" : line + EraseLine);
        _output.Write(Home + string.Join("\r\n", shown) + EraseBelow);
        _output.Flush();
    }

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
