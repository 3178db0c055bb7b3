using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text.Json;
using L4Balancer.Admin;
using L4Balancer.Admin.Answers;
using L4Balancer.Admin.Client;
using L4Balancer.Hosting;

namespace L4Balancer.CommandLine;

/// <summary><c>ready</c>, <c>maint</c> and <c>weight</c>: change one backend at run time.</summary>
internal static class ChangeCommands
{
    private const int HeaviestWeight = 1000;

    public static IEnumerable<(Command, string)> Create(AdminSession asking)
    {
        yield return Mode(asking, "ready", "Puts a backend back into service.", "l4balancer ready chat/ws1");
        yield return Mode(asking, "maint", "Takes a backend out of service for maintenance: no new connections.", "l4balancer maint chat/ws1");
        yield return Weight(asking);
    }

    private static (Command, string) Mode(AdminSession asking, string name, string description, string example)
    {
        Argument<string> backend = Backend(asking);
        Option<string?> until = Until();
        var command = new Command(name, description) { backend };
        if (name != "ready")
        {
            command.Options.Add(until);
        }

        command.SetAction((parsed, _) => asking.RunAsync(parsed, client => ChangeAsync(
            asking, client, name, HttpMethod.Post,
            $"/v1/backends/{parsed.GetRequiredValue(backend)}/{name}{(name == "ready" ? "" : QueryOf(parsed.GetValue(until)))}")));
        return (command, example);
    }

    private static (Command, string) Weight(AdminSession asking)
    {
        Argument<string> backend = Backend(asking);
        var weight = new Argument<int>("WEIGHT") { Description = $"0 to {HeaviestWeight}; 0: no new connections", CustomParser = ParseWeight };
        Option<string?> until = Until();
        var command = new Command("weight", "Changes the weight of a backend.") { backend, weight, until };
        command.SetAction((parsed, _) => asking.RunAsync(parsed, client => ChangeAsync(
            asking, client, "weight", HttpMethod.Put,
            $"/v1/backends/{parsed.GetRequiredValue(backend)}/weight{QueryOf(parsed.GetValue(until))}",
            JsonSerializer.Serialize(new WeightRequest(parsed.GetValue(weight)), AdminJson.Default.WeightRequest))));
        return (command, "l4balancer weight chat/ws1 50");
    }

    private static async Task<int> ChangeAsync(
        AdminSession asking, AdminClient client, string command, HttpMethod method, string path, string? body = null)
    {
        AdminReply reply = await asking.Screen.WaitAsync(client.SendAsync(method, path, body), "asking the daemon");
        if (asking.Fault(command, reply) is int code)
        {
            return code;
        }

        if (reply.TryRead(AdminJson.Default.BackendAnswer) is not BackendAnswer now)
        {
            return asking.Foreign(command);
        }

        asking.Screen.Output.WriteLine(Line(now));
        asking.Warn(command, now.Warning);
        return ExitCode.Fine;
    }

    /// <summary>How long a change holds.</summary>
    public static Option<string?> Until()
    {
        var until = new Option<string?>("--until")
        {
            Description = "How long it holds: 30m, 2h; then it is lifted. Default: until it is changed",
            HelpName = "DURATION",
        };
        until.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: string text }] && !ShedQuery.TryTime(text, out _))
            {
                result.AddError($"--until {text}: write a duration from 1ms to 365d, like 30m or 2h");
            }
        });
        return until;
    }

    private static string QueryOf(string? until) => until is null ? "" : $"?{ShedQuery.Until}={until}";

    /// <summary>The state of a backend after a change.</summary>
    public static string Line(BackendAnswer now) =>
        $"{now.Pool}/{now.Name} is {now.State}, weight {now.Weight}, {now.Connections} connections";

    public static Argument<string> Backend(AdminSession asking)
    {
        var backend = new Argument<string>("BACKEND") { Description = "POOL/NAME, as `backends` lists it", HelpName = "BACKEND" };
        backend.CompletionSources.Add(context => BackendNames.Of(asking, context));
        backend.Validators.Add(result =>
        {
            string text = result.Tokens[0].Value;
            if (text.Split('/') is not [{ Length: > 0 } pool, { Length: > 0 } name] || !IsName(pool) || !IsName(name))
            {
                result.AddError($"{text}: write POOL/NAME, as in chat/ws1");
            }
        });
        return backend;
    }

    // The characters of names in the configuration. Other characters would need escaping in a path and cannot be in a name.
    public static bool IsName(string text) =>
        text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-') && text is not "." and not "..";

    private static int ParseWeight(ArgumentResult result)
    {
        string text = result.Tokens[0].Value;
        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int weight) || weight > HeaviestWeight)
        {
            result.AddError($"WEIGHT {text}: must be a number from 0 to {HeaviestWeight}");
        }

        return weight;
    }
}
