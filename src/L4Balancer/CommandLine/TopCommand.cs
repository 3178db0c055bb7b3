using System.CommandLine;
using System.Diagnostics;
using System.Runtime.InteropServices;
using L4Balancer.Admin.Answers;
using L4Balancer.Admin.Client;
using L4Balancer.Hosting;

namespace L4Balancer.CommandLine;

/// <summary><c>top</c>: shows pools, backends, connections and events with rates, updated every second; prints a single table if the output is not a terminal.</summary>
internal static class TopCommand
{
    private const string Name = "top";

    /// <summary>A screen has fewer, and a filter looks at all of them.</summary>
    private const int MostConnections = 1_000;

    private static readonly TimeSpan Between = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan BetweenKeys = TimeSpan.FromMilliseconds(50);

    public static (Command, string) Create(AdminSession asking)
    {
        var command = new Command(Name, "Shows the state of the running daemon live; q ends it, ? lists the keys.");
        command.SetAction((parsed, _) => asking.RunAsync(parsed, client =>
            asking.Screen.IsTerminal && !FullScreen.IsDumb ? LiveAsync(asking, client) : OnceAsync(asking, client)));
        return (command, "l4balancer top --admin 127.0.0.1:9180");
    }

    private static async Task<int> OnceAsync(AdminSession asking, AdminClient client)
    {
        Replies replies = await AskAsync(client, ' ', ' ', CancellationToken.None);
        if (replies.Read(before: null)?.Sample is not TopSample sample)
        {
            return replies.Report(asking);
        }

        (string state, string trouble, string rates) = sample.Heading();
        asking.Screen.Output.WriteLine(trouble.Length > 0 ? $"{state}, {trouble}" : state);
        asking.Screen.Output.WriteLine(rates);
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
        TopPanel? open = null;
        long last = 0;
        while (!end.IsCancellationRequested && !view.IsEnded)
        {
            if (asked is null && (view.Panel != open || Stopwatch.GetElapsedTime(last) >= Between))
            {
                last = Stopwatch.GetTimestamp();
                open = view.Panel;
                asked = AskAsync(client, open.Key, view.Sort, end.Token);
            }

            if (asked is { IsCompleted: true } && !end.IsCancellationRequested)
            {
                Replies replies = await asked;
                asked = null;
                if (replies.Read(sample) is not TopFacts facts)
                {
                    screen.Dispose();
                    return replies.Report(asking);
                }

                // A view that was opened meanwhile waits for its own facts.
                sample = facts.Sample;
                view.Show(facts);
            }

            (int width, int height) = FullScreen.Size;
            IReadOnlyList<string> lines = view.Lines(width, height);
            screen.Draw(lines, view.HeadingLine, view.CursorLine, view.Paints);
            await PressAsync(view, end.Token);
            if (view.TakeRequest() is { } request)
            {
                view.Tell(await ChangeAsync(client, request, end.Token));
            }
        }

        end.Cancel();
        return ExitCode.Fine;

        void Ends(PosixSignalContext signal)
        {
            signal.Cancel = true;
            end.Cancel();
        }
    }

    /// <returns>What came of it; empty if top was ended meanwhile.</returns>
    internal static async Task<string> ChangeAsync(AdminClient client, TopRequest request, CancellationToken end)
    {
        try
        {
            AdminReply reply = await client.SendAsync(request.Method, request.Path, cancel: end);
            return reply.IsSuccess ? request.Done : reply.Problems?[0] ?? "the daemon has refused it";
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
            return "";
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

    private static async Task<Replies> AskAsync(AdminClient client, char panel, char sort, CancellationToken cancel)
    {
        AdminReply status = await client.SendAsync(HttpMethod.Get, "/v1/status", cancel: cancel);
        AdminReply backends = await client.SendAsync(HttpMethod.Get, "/v1/backends", cancel: cancel);
        string? more = panel switch
        {
            TopPanels.Connections => $"/v1/connections?limit={MostConnections}&sort={OrderOf(sort)}",
            TopPanels.Events => "/v1/events",
            _ => null,
        };
        return new Replies(status, backends, panel, more is null ? null : await client.SendAsync(HttpMethod.Get, more, cancel: cancel));
    }

    // Of more connections than are asked for, those that the order of the view puts first.
    private static string OrderOf(char sort) => sort switch { 'i' or 'o' => "bytes", 'd' => "idle", _ => "age" };

    private static TextTable Table(TopSample sample)
    {
        var table = new TextTable(["backend", .. TopColumns.Backends.Select(c => (c.Width > 0 ? ">" : "") + c.Heading.ToLowerInvariant())]);
        foreach (TopRow row in sample.Rows.OrderByDescending(r => r.Backend.Connections))
        {
            table.Add([row.Name, .. TopColumns.Backends.Select(c => c.Cell(row))]);
        }

        return table;
    }

    private sealed record Replies(AdminReply Status, AdminReply Backends, char Panel, AdminReply? More)
    {
        /// <returns>Null: the answers cannot be used; see <see cref="Report"/>.</returns>
        public TopFacts? Read(TopSample? before)
        {
            if (Status.TryRead(AdminJson.Default.StatusAnswer) is not StatusAnswer status
                || Backends.TryRead(AdminJson.Default.BackendsAnswer) is not BackendsAnswer backends)
            {
                return null;
            }

            var facts = new TopFacts(new TopSample(status, [.. backends.Backends], before));
            return Panel switch
            {
                TopPanels.Connections => More!.TryRead(AdminJson.Default.ConnectionsAnswer) is { } answer
                    ? facts with { Connections = [.. answer.Connections], AllConnections = answer.Total } : null,
                TopPanels.Events => More!.TryRead(AdminJson.Default.EventsAnswer) is { } answer ? facts with { Events = answer.Events } : null,
                _ => facts,
            };
        }

        /// <summary>Prints what is wrong with the answers.</summary>
        /// <returns>The exit code.</returns>
        public int Report(AdminSession asking) =>
            asking.Fault(Name, Status) ?? asking.Fault(Name, Backends) ?? (More is null ? null : asking.Fault(Name, More)) ?? asking.Foreign(Name);
    }
}
