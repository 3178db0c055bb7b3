using L4Balancer.Tests.Pacing;

namespace L4Balancer.Tests.CommandLine;

/// <summary><c>top</c> in a terminal of 80 columns and 24 rows: a pseudo-terminal (pty(7)), made by Python.</summary>
[Category(DaemonProcess.Category)]
[CancelAfter(120_000)]
[Parallelizable(ParallelScope.Self)]
internal sealed class TopTerminalTests
{
    private const string Python = "/usr/bin/python3";

    /// <summary>Presses a key once the text is seen, and prints what came from then on and the exit code.</summary>
    private const string Terminal = """
        import fcntl, os, pty, struct, sys, termios
        seen, key = sys.argv[1].encode(), sys.argv[2].encode()
        process, screen = pty.fork()
        if process == 0:
            os.environ["TERM"] = "xterm"
            os.execvp(sys.argv[3], sys.argv[3:])
        fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        output, pressed = b"", False
        while True:
            try:
                output += os.read(screen, 65536)
            except OSError:
                break
            if seen in output and not pressed:
                os.write(screen, key)
                pressed = True
        print(output.decode(errors="replace").replace("\r\n", "\n").replace("\x1b", "ESC"))
        print("exit", os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
        """;

    [Test]
    public async Task It_takes_the_whole_screen_and_gives_it_back([Values("q", "Ctrl-C")] string key)
    {
        if (!File.Exists(Python))
        {
            Assert.Ignore($"{Python} is not installed: make test-deps");
        }

        await using PacedScene scene = await PacedScene.StartAsync("epoll", backends: 2);
        await using DaemonProcess top = scene.StartWrapped([Python, "-c", Terminal, "1-2 of 2", key == "q" ? key : "\u0003"], "top");
        await top.LineWithAsync("exit 0");
        string output = string.Join('\n', top.Output);
        Assert.That(output, Does.Contain("ESC[?1049h").And.Contain("ESC[?1049l"));
        Assert.That(output, Does.Contain("BACKEND").And.Contain("chat/ws1").And.Contain("chat/ws2").And.Contain("q quit"));
        Assert.That(output[..output.IndexOf("1-2 of 2", StringComparison.Ordinal)].Split('\n'), Has.Length.EqualTo(24), "one screen");
    }
}
