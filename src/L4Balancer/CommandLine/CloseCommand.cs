using System.CommandLine;
using System.Globalization;
using L4Balancer.Admin.Answers;
using L4Balancer.Admin.Client;
using L4Balancer.Hosting;

namespace L4Balancer.CommandLine;

/// <summary><c>close</c>: one connection, or all that match the filters, one after the other.</summary>
internal static class CloseCommand
{
    private const string Example = "l4balancer close --source 203.0.113.0/24 --rate 100";

    public static (Command, string) Create(AdminSession asking)
    {
        var id = new Argument<ulong?>("ID")
        {
            Description = "The connection's id, as `connections` lists it",
            Arity = ArgumentArity.ZeroOrOne,
            CustomParser = static result =>
            {
                if (ulong.TryParse(result.Tokens[0].Value, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number))
                {
                    return number;
                }

                result.AddError($"{result.Tokens[0].Value}: write the number that `l4balancer connections` lists as ID");
                return null;
            },
        };
        var backend = new Option<string?>("--backend")
        {
            Description = "All connections of one backend, which may have left the file",
            HelpName = "POOL/NAME",
        };
        backend.CompletionSources.Add(context => BackendNames.Of(asking, context));
        var source = new Option<string?>("--source") { Description = "All connections of these clients", HelpName = "CIDR" };
        var listener = new Option<string?>("--listener") { Description = "All connections that this listener accepted", HelpName = "L" };
        listener.CompletionSources.Add(context => BackendNames.Listeners(asking, context));
        Option<int?> rate = ShedCommands.Rate("Connections to close per second; 0: all at once; default: the pool's close_rate");
        var command = new Command("close", "Closes one connection, or all that match every given filter, at a controlled pace.")
        {
            id, backend, source, listener, rate,
        };
        command.Validators.Add(result =>
        {
            bool one = result.GetResult(id) is { Tokens.Count: > 0 };
            bool filtered = result.GetResult(backend) is not null || result.GetResult(source) is not null || result.GetResult(listener) is not null;
            if (one == filtered)
            {
                result.AddError("write either the ID of a connection, or at least one of --backend, --source and --listener");
            }
            else if (one && result.GetResult(rate) is not null)
            {
                result.AddError("--rate is for several connections: write it with --backend, --source or --listener");
            }
        });
        command.SetAction((parsed, _) => asking.RunAsync(parsed, client => parsed.GetValue(id) is ulong number
            ? OneAsync(asking, client, number)
            : AllAsync(asking, client, Query(
                ("backend", parsed.GetValue(backend)), ("source", parsed.GetValue(source)), ("listener", parsed.GetValue(listener)),
                ("rate", parsed.GetValue(rate)?.ToString(CultureInfo.InvariantCulture))))));
        return (command, Example);
    }

    private static async Task<int> OneAsync(AdminSession asking, AdminClient client, ulong id)
    {
        string path = string.Create(CultureInfo.InvariantCulture, $"/v1/connections/{id}");
        AdminReply reply = await asking.Screen.WaitAsync(client.SendAsync(HttpMethod.Delete, path), "asking the daemon");
        if (asking.Fault("close", reply) is int code)
        {
            return code;
        }

        asking.Screen.Output.WriteLine($"connection {id} is being closed");
        return ExitCode.Fine;
    }

    private static async Task<int> AllAsync(AdminSession asking, AdminClient client, string query)
    {
        AdminReply reply = await asking.Screen.WaitAsync(client.SendAsync(HttpMethod.Delete, $"/v1/connections?{query}"), "asking the daemon");
        if (asking.Fault("close", reply) is int code)
        {
            return code;
        }

        if (reply.TryRead(AdminJson.Default.ClosingManyAnswer) is not ClosingManyAnswer answer)
        {
            return asking.Foreign("close");
        }

        asking.Screen.Output.WriteLine($"{answer.Connections.ToString(CultureInfo.InvariantCulture)} connections are being closed");
        return ExitCode.Fine;
    }

    private static string Query(params (string Name, string? Value)[] parameters) =>
        string.Join('&', parameters.Where(p => p.Value is not null).Select(p => $"{p.Name}={Uri.EscapeDataString(p.Value!)}"));
}
