using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text.Json;
using L4Balancer.Admin;
using L4Balancer.Admin.Answers;
using L4Balancer.Configuration;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Hosting;
using L4Balancer.Logging;

namespace L4Balancer.CommandLine;

/// <summary>
/// <c>locate</c>: shows which backend a connection is sent to, and why; from a running daemon, or offline from a configuration file.
/// </summary>
internal static class LocateCommand
{
    private const string UnknownHealth = "not known offline: every backend counts as up";

    public static (Command, string) Create(AdminSession asking)
    {
        Option<string?> config = Options.Config();
        config.Description = "Use this configuration file, offline, with every backend up. Default: query a running daemon";
        var listener = new Option<string>("--listener") { Description = "The listener's name", HelpName = "NAME", Required = true };
        listener.CompletionSources.Add(context => BackendNames.Listeners(asking, context));
        var source = new Option<Endpoint>("--source")
        {
            Description = "The client; for one of a UNIX socket unix:NUMBER, as the access log shows it",
            HelpName = "IP:PORT",
            Required = true,
            CustomParser = result => Parse(result, Endpoint.TryParseUnixClient),
        };
        var destination = new Option<Endpoint?>("--destination")
        {
            Description = "The address that the client connects to; required if the listener is bound to a wildcard and hash_key contains the address",
            HelpName = "IP:PORT",
            CustomParser = result => Parse(result, Endpoint.TryParseUnix),
        };
        Option<string?>[] read =
        [
            Read("sni", "NAME", "Server name that the client asks for (inspect = \"tls\")"),
            Read("alpn", "NAMES", "Protocols that it offers, separated by commas (inspect = \"tls\")"),
            Read("host", "NAME", "Host of its request (inspect = \"http\", as the following)"),
            Read("path", "PATH", "Path of its request"),
            Read("header", "N:V", "A header field of its request"),
            Read("cookie", "N=V", "A cookie of its request"),
            Read("query", "N=V", "A parameter of its request's query"),
            Read("key", "K", "The value of the pool's only named part of hash_key, else the whole key"),
        ];
        Option<bool> json = AdminSession.Json();
        var command = new Command("locate", "Shows which backend a connection is sent to, and why.")
        {
            config, listener, source, destination, json,
        };
        Array.ForEach(read, command.Add);
        command.SetAction(async (parsed, _) =>
        {
            (string name, Endpoint from, Endpoint? to) =
                (parsed.GetRequiredValue(listener), parsed.GetRequiredValue(source), parsed.GetValue(destination));
            if (parsed.GetValue(config) is string file)
            {
                AskedClient asked = AskedClient.Of(parameter => parsed.GetValue(read[Array.IndexOf(AskedClient.Parameters, parameter)]));
                return Offline(asking, file, name, from, to, asked, parsed.GetValue(json));
            }

            string path = $"/v1/locate?listener={Uri.EscapeDataString(name)}&source={Uri.EscapeDataString(from.ToString())}"
                + (to is null ? "" : $"&destination={Uri.EscapeDataString(to.Value.ToString())}")
                + string.Concat(AskedClient.Parameters.Zip(read, (parameter, option) =>
                    parsed.GetValue(option) is { } value ? $"&{parameter}={Uri.EscapeDataString(value)}" : ""));
            return await asking.ShowAsync(parsed, json, path, AdminJson.Default.LocateAnswer, answer => Print(asking, answer));
        });
        return (command, "l4balancer locate --listener wss --source 203.0.113.7:51234 --destination 198.51.100.1:443");
    }

    private static Option<string?> Read(string name, string form, string meaning) => new($"--{name}") { Description = meaning, HelpName = form };

    private static int Offline(
        AdminSession asking, string path, string listenerName, Endpoint source, Endpoint? destination, AskedClient asked, bool json)
    {
        ConfigFile file = ConfigFile.Load(path);
        foreach (string error in file.Errors)
        {
            asking.Screen.Errors.WriteLine(error);
        }

        if (file.Config is not BalancerConfig config)
        {
            return ExitCode.BadUsage;
        }

        if (!config.Listeners.Any(l => l.Name == listenerName))
        {
            string known = string.Join(", ", config.Listeners.Select(l => l.Name));
            return asking.Fail(ExitCode.BadUsage, $"--listener {listenerName}: no such listener in {path}; it has: {known}");
        }

        if (Location.Of(config, listenerName, source, destination, asked, out string mistake) is not Location location)
        {
            return asking.Fail(ExitCode.BadUsage, mistake);
        }

        LocateAnswer answer = location.Answer;
        if (!json || (answer.Backend is null && answer.Hash is not null))
        {
            return Print(asking, answer);
        }

        asking.Screen.Output.WriteLine(JsonSerializer.Serialize(answer, AdminJson.Default.LocateAnswer));
        return ExitCode.Fine;
    }

    private static int Print(AdminSession asking, LocateAnswer answer)
    {
        if (answer.Hash is null)
        {
            asking.Screen.Output.WriteLine(WithoutHash(answer));
            return ExitCode.Fine;
        }

        if (answer.Backend is null)
        {
            string mend = answer.LivingBackends is null ? "give one a weight" : "l4balancer backends shows why";
            return asking.Fail(ExitCode.Failed, $"pool {answer.Pool} has no backend that accepts connections; {mend}");
        }

        asking.Screen.Output.WriteLine(Text(answer));
        return ExitCode.Fine;
    }

    private static string Text(LocateAnswer answer) => string.Create(CultureInfo.InvariantCulture, $"""
        backend   {answer.Pool}/{answer.Backend} ({answer.Address})
        listener  {answer.Listener}
        tuple     {answer.Source} to {answer.Destination}{RouteLine(answer)}
        key       {string.Join(' ', answer.HashKey)}{Values(answer)}
        hash      {answer.Hash}
        {(answer.Balance == "maglev" ? "table" : "ring ")}     {Backends(answer.RingBackends)}; the hash falls to {answer.Owner}
        health    {Health(answer)}
        """) + (answer.Sticky ? "\nsticky    an entry of the pool's table decides: its connections went there before" : "");

    private static string WithoutHash(LocateAnswer answer) => answer.Sticky ? StickyWithoutHash(answer) : string.Create(CultureInfo.InvariantCulture, $"""
        backend   any of pool {answer.Pool}: balance = "{answer.Balance}" chooses per connection, independent of the client
        listener  {answer.Listener}
        tuple     {answer.Source} to {answer.Destination}{RouteLine(answer)}
        health    {(answer.LivingBackends is int living ? $"{living} of {Backends(answer.RingBackends)} accept connections" : UnknownHealth)}
        """);

    private static string StickyWithoutHash(LocateAnswer answer) => string.Create(CultureInfo.InvariantCulture, $"""
        backend   {answer.Pool}/{answer.Backend} ({answer.Address})
        listener  {answer.Listener}
        tuple     {answer.Source} to {answer.Destination}{RouteLine(answer)}
        sticky    an entry of the pool's table decides: its connections went there before; others go anywhere (balance = "{answer.Balance}")
        health    {answer.LivingBackends} of {Backends(answer.RingBackends)} accept connections
        """);

    private static string RouteLine(LocateAnswer answer) => answer.Route is null ? ""
        : answer.Rule is null ? "\nroute     default: no route fits" : $"\nroute     {answer.Route}: {answer.Rule}";

    private static string Values(LocateAnswer answer) => answer.KeyMissing.Count > 0
        ? $" ({string.Join(' ', answer.KeyMissing)}: not all of it is given)"
        : answer.Key is null ? "" : $" = {LogText.ForTerminal(answer.Key)}";

    private static string Health(LocateAnswer answer) =>
        answer.LivingBackends is not int living ? UnknownHealth : string.Create(
            CultureInfo.InvariantCulture,
            $"{answer.Owner} is {answer.Health}{Instead(answer)}; {living} of {Backends(answer.RingBackends)} accept connections");

    private static string Instead(LocateAnswer answer) =>
        answer.Owner == answer.Backend || answer.Sticky ? ""
        : answer.Health == "up" ? " but full, so the next choice" : ", so the next choice";

    private static string Backends(int count) => count == 1 ? "1 backend" : $"{Quantity.Count(count)} backends";

    private delegate bool UnixParser(string text, out Endpoint endpoint);

    private static Endpoint Parse(ArgumentResult result, UnixParser unix)
    {
        string text = result.Tokens[0].Value;
        if (!Endpoint.TryParse(text, out Endpoint endpoint) && !unix(text, out endpoint))
        {
            string name = (result.Parent as OptionResult)?.Option.Name ?? "";
            result.AddError($"{name} {text}: not an address and port, as in 203.0.113.7:51234 or [2001:db8::7]:51234");
        }

        return endpoint;
    }
}
