using System.CommandLine;
using System.Diagnostics;
using System.Runtime.InteropServices;
using L4Balancer.Admin.Answers;
using L4Balancer.Admin.Client;
using L4Balancer.Hosting;

namespace L4Balancer.CommandLine.Top;

/// <summary><c>top</c>: shows the state with rates, updated every second; prints a single table if the output is not a terminal.</summary>
internal static class TopCommand
{
    private const string Name = "top";

    private static readonly TimeSpan Between = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan BetweenKeys = TimeSpan.FromMilliseconds(50);

    public static (Command, string) Create(AdminSession asking)
    {
        var command = new Command(Name, "Shows the state of the running daemon live; q ends it, ? lists the keys.");
        command.SetAction((parsed, _) => asking.RunAsync(parsed, client =>
            asking.Screen.IsTerminal ? LiveAsync(asking, client) : OnceAsync(asking, client)));
        return (command, "l4balancer top --admin 127.0.0.1:9180");
    }

    private static async Task<int> OnceAsync(AdminSession asking, AdminClient client)
    {
        Replies replies = await AskAsync(client, CancellationToken.None);
        if (replies.Read(before: null) is not TopSample sample)
        {
            return replies.Report(asking);
        }

        asking.Screen.Output.WriteLine(sample.Heading().State);
        asking.Screen.Write(Table(sample));
        return ExitCode.Fine;
    }

    private static async Task<int> LiveAsync(AdminSession asking, AdminClient client)
    {
        using var end = new CancellationTokenSource();
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Ends);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Ends);
        using var screen = new FullScreen(asking.Screen.Output);
        var view = new TopView();
        TopSample? sample = null;
        Task<Replies>? asked = null;
        long last = 0;
        while (!end.IsCancellationRequested && !view.IsEnded)
        {
            if (asked is null && (sample is null || Stopwatch.GetElapsedTime(last) >= Between))
            {
                last = Stopwatch.GetTimestamp();
                asked = AskAsync(client, end.Token);
            }

            if (asked is { IsCompleted: true } && !end.IsCancellationRequested)
            {
                Replies replies = await asked;
                asked = null;
                sample = replies.Read(sample);
                if (sample is null)
                {
                    screen.Dispose();
                    return replies.Report(asking);
                }

                view.Show(sample);
            }

            (int width, int height) = FullScreen.Size;
            screen.Draw(view.Lines(width, height), view.HeadingLine);
            await PressAsync(view, end.Token);
        }

        end.Cancel();
        return ExitCode.Fine;

        void Ends(PosixSignalContext signal)
        {
            signal.Cancel = true;
            end.Cancel();
        }
    }

    // Waits for a key, or for the time after which something may have changed.
    private static async Task PressAsync(TopView view, CancellationToken end)
    {
        long start = Stopwatch.GetTimestamp();
        while (!end.IsCancellationRequested && Stopwatch.GetElapsedTime(start) < 4 * BetweenKeys)
        {
            if (!Console.IsInputRedirected && Console.KeyAvailable)
            {
                view.Press(Console.ReadKey(intercept: true));
                return;
            }

            await Task.Delay(BetweenKeys, CancellationToken.None);
        }
    }

    private static async Task<Replies> AskAsync(AdminClient client, CancellationToken cancel) => new(
        await client.SendAsync(HttpMethod.Get, "/v1/status", cancel: cancel), await client.SendAsync(HttpMethod.Get, "/v1/backends", cancel: cancel));

    private static TextTable Table(TopSample sample)
    {
        var table = new TextTable(["backend", .. TopColumns.All.Select(c => (c.Width > 0 ? ">" : "") + c.Heading.ToLowerInvariant())]);
        foreach (TopRow row in sample.Rows.OrderByDescending(r => r.Backend.Connections))
        {
            table.Add([row.Name, .. TopColumns.All.Select(c => c.Cell(row))]);
        }

        return table;
    }

    private sealed record Replies(AdminReply Status, AdminReply Backends)
    {
        /// <returns>Null: the answers cannot be used; see <see cref="Report"/>.</returns>
        public TopSample? Read(TopSample? before) =>
            Status.IsSuccess && Backends.IsSuccess
            && Status.TryRead(AdminJson.Default.StatusAnswer) is StatusAnswer status
            && Backends.TryRead(AdminJson.Default.BackendsAnswer) is BackendsAnswer backends
                ? new TopSample(status, [.. backends.Backends], before)
                : null;

        /// <summary>Prints what is wrong with the answers.</summary>
        /// <returns>The exit code.</returns>
        public int Report(AdminSession asking) => asking.Fault(Name, Status) ?? asking.Fault(Name, Backends) ?? asking.Foreign(Name);
    }
}
