using System.CommandLine;
using System.Globalization;
using L4Balancer.Admin.Answers;
using L4Balancer.Admin.Client;
using L4Balancer.Hosting;

namespace L4Balancer.CommandLine;

/// <summary><c>events</c>: the latest lines of the daemon's log, beside the access log, as the status page shows them.</summary>
internal static class EventsCommand
{
    private const int Most = 10_000;

    private static readonly string[] Levels = ["debug", "info", "warning", "error"];

    private static readonly TimeSpan BetweenLooks = TimeSpan.FromSeconds(1);

    public static (Command, string) Create(AdminSession asking)
    {
        var level = new Option<string?>("--level") { Description = "Only this level and those above it", HelpName = string.Join('|', Levels) };
        level.CompletionSources.Add(Levels);
        level.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: string text }] && !Levels.Contains(text))
            {
                result.AddError($"--level {text}: must be one of {string.Join(", ", Levels)}");
            }
        });
        Option<int?> limit = Options.Count("--limit", "The maximum number of lines, the latest ones; default: all that the daemon keeps", Most);
        var follow = new Option<bool>("--follow", "-f") { Description = "Goes on with what happens from now on; Ctrl-C ends it" };
        Option<bool> json = AdminSession.Json();
        var command = new Command("events", "Shows the latest lines of the running daemon's log.") { level, limit, follow, json };
        command.Validators.Add(result =>
        {
            if (result.GetResult(json) is not null && ((Option[])[level, limit, follow]).Any(o => result.GetResult(o) is not null))
            {
                result.AddError("--json prints the answer of the API: leave out --level, --limit and --follow");
            }
        });
        command.SetAction((parsed, stop) => parsed.GetValue(json)
            ? asking.ShowAsync(parsed, json, "/v1/events", AdminJson.Default.EventsAnswer, static _ => ExitCode.Fine)
            : asking.RunAsync(parsed, client => ShowAsync(
                asking, client, parsed.GetValue(level) ?? Levels[0], parsed.GetValue(limit) ?? Most, parsed.GetValue(follow), stop)));
        return (command, "l4balancer events --level warning --follow");
    }

    private static async Task<int> ShowAsync(AdminSession asking, AdminClient client, string level, int limit, bool follow, CancellationToken stop)
    {
        long after = 0;
        while (true)
        {
            string path = string.Create(CultureInfo.InvariantCulture, $"/v1/events?after={after}");
            AdminReply reply = await client.SendAsync(HttpMethod.Get, path, cancel: stop);
            if (asking.Fault("events", reply) is int code)
            {
                return code;
            }

            if (reply.TryRead(AdminJson.Default.EventsAnswer) is not { } answer)
            {
                return asking.Foreign("events");
            }

            EventAnswer[] shown = [.. answer.Events.Where(e => Array.IndexOf(Levels, e.Level) >= Array.IndexOf(Levels, level)).TakeLast(limit)];
            foreach (EventAnswer e in shown)
            {
                asking.Screen.Output.WriteLine(Line(e));
            }

            if (!follow)
            {
                return ExitCode.Fine;
            }

            // A daemon that was restarted counts from 1 again.
            after = answer.Events.Count > 0 ? answer.Events[^1].Number : after;
            limit = Most;
            await Task.Delay(BetweenLooks, stop);
        }
    }

    /// <summary>Date and time in UTC, the level and the text.</summary>
    public static string Line(EventAnswer e) => string.Create(
        CultureInfo.InvariantCulture, $"{e.At.ToUniversalTime():yyyy-MM-ddTHH:mm:ss.fff}Z {e.Level,-7} {e.Text}");
}
