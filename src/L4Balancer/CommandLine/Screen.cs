using System.Diagnostics;
using System.Runtime.InteropServices;
using Spectre.Console;

namespace L4Balancer.CommandLine;

/// <summary>
/// The output of a command: tables with lines, colour and progress on a terminal, otherwise plain text that a script can read.
/// </summary>
internal sealed class Screen
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <summary>Where the terminal does not know its own.</summary>
    private const int UsualWidth = 80;

    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(200);

    private readonly bool _errorsAreTerminal;

    public Screen(TextWriter output, TextWriter errors)
    {
        Output = output;
        Errors = errors;
        IsTerminal = ReferenceEquals(output, Console.Out) && !Console.IsOutputRedirected;
        _errorsAreTerminal = ReferenceEquals(errors, Console.Error) && !Console.IsErrorRedirected;
    }

    public TextWriter Output { get; }

    public TextWriter Errors { get; }

    public bool IsTerminal { get; }

    /// <summary>NO_COLOR is set and not empty (no-color.org).</summary>
    public static bool Colourless => Environment.GetEnvironmentVariable("NO_COLOR") is { Length: > 0 };

    private IAnsiConsole Terminal => Make(Output);

    /// <summary>Waits for a task; after two seconds a terminal shows a message.</summary>
    public async Task<T> WaitAsync<T>(Task<T> work, string what)
    {
        if (!_errorsAreTerminal || Colourless || await Task.WhenAny(work, Task.Delay(Patience)) == work)
        {
            return await work;
        }

        return await Make(Errors).Status().StartAsync(what, _ => work);
    }

    /// <summary>Polls until the operation has ended; after two seconds a terminal shows a progress bar.</summary>
    /// <param name="goesOn">Printed if the user interrupts the command: what goes on in the daemon, and how to stop it.</param>
    /// <param name="look">Returns the progress as part and total; null at the end.</param>
    public async Task FollowAsync(string what, string goesOn, Func<Task<(long Done, long All)?>> look)
    {
        // The process ends by the signal all the same, so that a shell script that runs it ends too.
        using var interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, _ =>
        {
            if (_errorsAreTerminal)
            {
                Make(Errors).Cursor.Show();
                Errors.WriteLine();
            }

            Errors.WriteLine($"l4balancer: {goesOn}");
            Errors.Flush();
        });
        long start = Stopwatch.GetTimestamp();
        bool hasBar = _errorsAreTerminal && !Colourless;
        (long Done, long All)? at = await look();
        while (at is not null && !(hasBar && Stopwatch.GetElapsedTime(start) > Patience))
        {
            await Task.Delay(BetweenLooks);
            at = await look();
        }

        if (at is null)
        {
            return;
        }

        await Make(Errors).Progress().StartAsync(async progress =>
        {
            ProgressTask bar = progress.AddTask(what);
            for (; at is (long done, long all); at = await look())
            {
                bar.MaxValue(Math.Max(1, all)).Value(Math.Min(done, all));
                await Task.Delay(BetweenLooks);
            }

            bar.Value(bar.MaxValue);
        });
    }

    public void Write(TextTable table)
    {
        if (!IsTerminal)
        {
            table.WritePlain(Output);
            return;
        }

        int width = Console.WindowWidth > 0 ? Console.WindowWidth : UsualWidth;
        table.WriteFitting(Output, width, isColoured: !Colourless && Terminal.Profile.Capabilities.Ansi);
    }

    private static IAnsiConsole Make(TextWriter writer) => AnsiConsole.Create(new AnsiConsoleSettings
    {
        Out = new AnsiConsoleOutput(writer),
        ColorSystem = Colourless ? ColorSystemSupport.NoColors : ColorSystemSupport.Detect,
    });
}
