using L4Balancer.Tests.Pacing;

namespace L4Balancer.Tests.CommandLine;

/// <summary><c>top</c> in a terminal of 80 columns and 24 rows: a pseudo-terminal (pty(7)), made by Python.</summary>
[Category(DaemonProcess.Category)]
[CancelAfter(120_000)]
[Parallelizable(ParallelScope.Self)]
internal sealed class TopTerminalTests
{
    private const string Python = "/usr/bin/python3";

    /// <summary>Presses each key once its text is seen after the key before, and prints everything that came and the exit code.</summary>
    private const string Terminal = """
        import fcntl, json, os, pty, struct, sys, termios
        steps = [(seen.encode(), key.encode()) for seen, key in json.loads(sys.argv[1])]
        process, screen = pty.fork()
        if process == 0:
            os.environ["TERM"] = "xterm"
            os.execvp(sys.argv[2], sys.argv[2:])
        fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        output, start = b"", 0
        while True:
            try:
                output += os.read(screen, 65536)
            except OSError:
                break
            if steps and steps[0][0] in output[start:]:
                start = len(output)
                os.write(screen, steps.pop(0)[1])
        print(output.decode(errors="replace").replace("\r\n", "\n").replace("\x1b", "ESC"))
        print("exit", os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
        """;

    [Test]
    public async Task It_takes_the_whole_screen_and_gives_it_back([Values("q", "Ctrl-C")] string key)
    {
        RequirePython();
        await using PacedScene scene = await PacedScene.StartAsync("epoll", backends: 2);
        await using DaemonProcess top = scene.StartWrapped([Python, "-c", Terminal, Steps(("1-2 of 2", key == "q" ? key : "\u0003"))], "top");
        await top.LineWithAsync("exit 0");
        string output = string.Join('\n', top.Output);
        Assert.That(output, Does.Contain("ESC[?1049h").And.Contain("ESC[?1049l"));
        Assert.That(output, Does.Contain("BACKEND").And.Contain("chat/ws1").And.Contain("chat/ws2").And.Contain("ESC[1mqESC[0m quit"));

        // Before it knows anything it has drawn other screens, each from the upper left corner.
        string upToFooter = output[..output.IndexOf("1-2 of 2", StringComparison.Ordinal)];
        string screen = upToFooter[upToFooter.LastIndexOf("ESC[H", StringComparison.Ordinal)..];
        Assert.That(screen.Split('\n'), Has.Length.EqualTo(24), "one screen");
    }

    [Test]
    public async Task A_backend_is_drained_from_it_and_every_view_opens()
    {
        RequirePython();
        await using PacedScene scene = await PacedScene.StartAsync("epoll", backends: 2);
        string steps = Steps(
            ("1-2 of 2", "/"), ("filter: _", "ws2\r"), ("1-1 of 1", "D"), ("drain chat/ws2: no new", "y"), ("chat/ws2 is draining", "3"), ("0-0 of 0", "4"),
            ("[4 events]", "1"), ("[1 pools]", "?"), ("Sort the pools", " "), ("[1 pools]", "q"));
        await using DaemonProcess top = scene.StartWrapped([Python, "-c", Terminal, steps], "top");
        await top.LineWithAsync("exit 0");

        string output = string.Join('\n', top.Output);
        Assert.That(output, Does.Contain("other keys: no").And.Contain("draining"));
    }

    private static void RequirePython()
    {
        if (!File.Exists(Python))
        {
            Assert.Ignore($"{Python} is not installed: make test-deps");
        }
    }

    private static string Steps(params (string Seen, string Key)[] steps) =>
        System.Text.Json.JsonSerializer.Serialize(steps.Select(static s => new[] { s.Seen, s.Key }));
}
