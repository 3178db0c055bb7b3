using System.CommandLine;
using System.Text.Json.Nodes;
using L4Balancer.Admin.Answers;
using L4Balancer.Admin.Client;
using L4Balancer.Hosting;

namespace L4Balancer.CommandLine;

/// <summary><c>config</c>: the configuration in force as TOML, with what was set at run time marked.</summary>
internal static class ConfigCommand
{
    private const string Name = "config";

    public static (Command, string) Create(AdminSession asking)
    {
        Option<bool> json = AdminSession.Json();
        var command = new Command(
            Name, "Shows the configuration in force as TOML, with every default, and marks what was set at run time. Secrets are masked.") { json };
        command.SetAction((parsed, _) => asking.RunAsync(parsed, client => ShowAsync(asking, client, parsed.GetValue(json))));
        return (command, "l4balancer config");
    }

    private static async Task<int> ShowAsync(AdminSession asking, AdminClient client, bool json)
    {
        AdminReply config = await asking.Screen.WaitAsync(client.SendAsync(HttpMethod.Get, "/v1/config"), "asking the daemon");
        AdminReply backends = await client.SendAsync(HttpMethod.Get, "/v1/backends");
        if ((asking.Fault(Name, config) ?? asking.Fault(Name, backends)) is int code)
        {
            return code;
        }

        if (config.TryRead(AdminJson.Default.JsonObject) is not JsonObject all || backends.TryRead(AdminJson.Default.BackendsAnswer) is not { } answer)
        {
            return asking.Foreign(Name);
        }

        if (json)
        {
            asking.Screen.Output.WriteLine(config.Text);
            return ExitCode.Fine;
        }

        Dictionary<(string, string), BackendAnswer> known = [];
        foreach (BackendAnswer backend in answer.Backends.Where(b => b.InConfiguration))
        {
            known.TryAdd((backend.Pool, backend.Name), backend);
        }

        asking.Screen.Output.WriteLine("# The configuration in force. *** stands for a secret, ${NAME} for a value from the environment of the daemon.");
        new TomlText(asking.Screen.Output, known).Write(all);
        return ExitCode.Fine;
    }
}
