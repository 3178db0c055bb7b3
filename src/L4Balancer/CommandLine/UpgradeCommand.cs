using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using L4Balancer.Admin.Answers;
using L4Balancer.Admin.Client;
using L4Balancer.Core.Config;
using L4Balancer.Hosting;

namespace L4Balancer.CommandLine;

/// <summary><c>upgrade</c>: replaces the running process by a new one, follows that, and prints what was moved.</summary>
internal static class UpgradeCommand
{
    /// <summary>Above all the times that the daemon allows its steps.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(4);

    /// <summary>While one process answers no more and the other not yet, a question waits; beyond this there is no daemon.</summary>
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(30);

    /// <summary>For connections that are being closed: they end in the old process within 5 s.</summary>
    private static readonly TimeSpan ForClosing = TimeSpan.FromSeconds(7);

    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(100);

    public static (Command, string) Create(AdminSession asking)
    {
        var binary = new Option<FileInfo?>("--binary")
        {
            Description = "The executable of the new process; default: the file that the daemon was started from, as it is now. Only over the local socket, for root or the daemon's own user",
            HelpName = "FILE",
        };
        Option<bool> json = AdminSession.Json();
        var command = new Command("upgrade", "Replaces the running process by a new one; established connections stay up.") { binary, json };
        command.SetAction((parsed, _) => asking.RunAsync(parsed, client => RunAsync(asking, client, parsed.GetValue(binary), parsed.GetValue(json))));
        return (command, "l4balancer upgrade");
    }

    /// <summary>For <c>status</c>.</summary>
    public static string Line(UpgradeAnswer at) => at.State switch
    {
        UpgradeAnswer.Failed => string.Create(CultureInfo.InvariantCulture, $"failed {Quantity.Seconds(at.EndedSeconds ?? 0)} ago: {at.Fault}"),
        UpgradeAnswer.Succeeded => string.Create(
            CultureInfo.InvariantCulture,
            $"replaced pid {at.OldPid} {Quantity.Seconds(at.EndedSeconds ?? 0)} ago: {at.Moved} connections moved{(at.Left > 0 ? $", {at.Left} end in the old process" : "")}"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{at.State}: {at.Moved} connections moved, {at.Left} to go"),
    };

    private static async Task<int> RunAsync(AdminSession asking, AdminClient client, FileInfo? binary, bool json)
    {
        string? body = binary is null ? null : JsonSerializer.Serialize(new UpgradeRequest(binary.FullName), AdminJson.Default.UpgradeRequest);
        AdminReply reply = await client.SendAsync(HttpMethod.Post, "/v1/upgrade", body);
        if (asking.Fault("upgrade", reply) is int code)
        {
            return code;
        }

        if (reply.TryRead(AdminJson.Default.UpgradeAnswer) is not UpgradeAnswer begun)
        {
            return asking.Foreign("upgrade");
        }

        UpgradeAnswer? last = await FollowAsync(asking, client, begun);
        return last is null
            ? asking.Fail(ExitCode.NoDaemon, $"upgrade: the daemon has not answered for {Duration.Format(Silence)}: see its log, and l4balancer status")
            : Show(asking, last, json);
    }

    /// <returns>The upgrade at its end, or as it was last seen; null if nobody answers any more.</returns>
    private static async Task<UpgradeAnswer?> FollowAsync(AdminSession asking, AdminClient client, UpgradeAnswer begun)
    {
        UpgradeAnswer at = begun;
        bool answered = true;
        var whole = Stopwatch.StartNew();
        var silent = Stopwatch.StartNew();
        await asking.Screen.FollowAsync("upgrade", "the upgrade goes on: l4balancer status shows it", async () =>
        {
            UpgradeAnswer? now = await LookAsync(client, begun.Id);
            if (now is not null)
            {
                silent.Restart();
                at = now;
            }

            answered = silent.Elapsed < Silence;
            return !answered || whole.Elapsed > Longest || IsOver(at, whole) ? null : (at.Moved, Math.Max(1, (long)at.Moved + at.Left));
        });
        return answered ? at : null;
    }

    private static async Task<UpgradeAnswer?> LookAsync(AdminClient client, string id)
    {
        try
        {
            AdminReply reply = await client.SendAsync(HttpMethod.Get, "/v1/status");
            return reply.TryRead(AdminJson.Default.StatusAnswer)?.Upgrade is { } upgrade && upgrade.Id == id ? upgrade : null;
        }
        catch (NoDaemonException)
        {
            // Between the two processes; a refused connection comes back at once.
            await Task.Delay(BetweenLooks);
            return null;
        }
    }

    private static bool IsOver(UpgradeAnswer at, Stopwatch whole) => at.State switch
    {
        UpgradeAnswer.Failed => true,
        UpgradeAnswer.Succeeded => at.Left == 0 || (at.EndedSeconds ?? whole.Elapsed.TotalSeconds) > ForClosing.TotalSeconds,
        _ => false,
    };

    private static int Show(AdminSession asking, UpgradeAnswer at, bool json)
    {
        if (json)
        {
            asking.Screen.Output.WriteLine(JsonSerializer.Serialize(at, AdminJson.Default.UpgradeAnswer));
        }

        switch (at.State)
        {
            case UpgradeAnswer.Failed:
                return asking.Fail(ExitCode.Failed, $"upgrade: {at.Fault}; process {at.OldPid} goes on");
            case UpgradeAnswer.Succeeded:
                if (!json)
                {
                    foreach (string line in Lines(at))
                    {
                        asking.Screen.Output.WriteLine(line);
                    }
                }

                return ExitCode.Fine;
            default:
                return asking.Fail(ExitCode.Failed, $"upgrade: still {at.State} after {Duration.Format(Longest)}: see l4balancer status and the log of the daemon");
        }
    }

    private static IEnumerable<string> Lines(UpgradeAnswer at)
    {
        yield return string.Create(CultureInfo.InvariantCulture, $"process {at.NewPid} has replaced {at.OldPid}");
        yield return string.Create(CultureInfo.InvariantCulture, $"moved: {at.Moved} connections, the longest stood still for {at.LongestMilliseconds:0.0} ms");
        yield return string.Create(CultureInfo.InvariantCulture, $"stayed: {at.Left}{(at.Left > 0 ? $" connections end in process {at.OldPid}" : "")}");
        if (at.Lost > 0)
        {
            yield return string.Create(CultureInfo.InvariantCulture, $"lost: {at.Lost} connections, which could not be served and were reset");
        }

        if (at.Fault is string why)
        {
            yield return $"note: {why}";
        }
    }
}
