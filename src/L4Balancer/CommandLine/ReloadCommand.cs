using System.CommandLine;
using System.Globalization;
using L4Balancer.Admin.Answers;
using L4Balancer.Admin.Client;
using L4Balancer.Hosting;
using L4Balancer.Logging;

namespace L4Balancer.CommandLine;

/// <summary><c>reload</c>: makes the daemon read its file again, and prints the changes.</summary>
internal static class ReloadCommand
{
    public static (Command, string) Create(AdminSession asking)
    {
        Option<bool> json = AdminSession.Json();
        var command = new Command("reload", "Makes the running daemon read its configuration again; connections are kept.") { json };
        command.SetAction((parsed, _) => asking.RunAsync(parsed, async client =>
        {
            AdminReply reply = await asking.Screen.WaitAsync(client.SendAsync(HttpMethod.Post, "/v1/reload"), "the daemon is reading its file");
            return ToldAs(asking, reply) ?? Show(asking, reply, parsed.GetValue(json));
        }));
        return (command, "l4balancer reload");
    }

    // Errors in the file are printed without a prefix, as `check` prints them.
    private static int? ToldAs(AdminSession asking, AdminReply reply)
    {
        if (reply.Status != 422 || reply.Problems is not { Count: > 1 } lines)
        {
            return asking.Fault("reload", reply);
        }

        foreach (string line in lines.SkipLast(1))
        {
            asking.Screen.Errors.WriteLine(LogText.ForTerminal(line));
        }

        return asking.Fail(ExitCode.Failed, $"reload: {lines[^1]}");
    }

    private static int Show(AdminSession asking, AdminReply reply, bool json)
    {
        if (reply.TryRead(AdminJson.Default.ReloadAnswer) is not ReloadAnswer answer)
        {
            return asking.Foreign("reload");
        }

        TextWriter output = asking.Screen.Output;
        if (json)
        {
            output.WriteLine(reply.Text);
            return ExitCode.Fine;
        }

        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{answer.Outcome}: generation {answer.Generation}"));
        foreach (ChangeAnswer change in answer.Changes)
        {
            output.WriteLine((change.Before, change.After) switch
            {
                (null, _) => $"{change.Path} added",
                (_, null) => $"{change.Path} removed",
                _ => $"{change.Path}: {change.Before.ToJsonString()} -> {change.After.ToJsonString()}",
            });
        }

        foreach (string kept in answer.NeedsRestart)
        {
            output.WriteLine($"restart required to apply: {kept}");
        }

        return ExitCode.Fine;
    }
}
