using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text;
using System.Text.Json;
using L4Balancer.Configuration;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Hosting;

namespace L4Balancer.CommandLine;

/// <summary><c>locate</c>: which backend a connection goes to, and why. Offline, from a configuration file.</summary>
internal static class LocateCommand
{
    private const string NotKnown = "not known offline: every backend counts as up";

    public static (Command, string) Create(TextWriter output, TextWriter errors)
    {
        Option<string?> config = Options.Config();
        var listener = new Option<string>("--listener") { Description = "The listener's name", HelpName = "NAME", Required = true };
        var source = new Option<Endpoint>("--source")
        {
            Description = "The client",
            HelpName = "IP:PORT",
            Required = true,
            CustomParser = ParseEndpoint,
        };
        var destination = new Option<Endpoint?>("--destination")
        {
            Description = "The address that the client connects to; required where the bind is a wildcard and the key uses it",
            HelpName = "IP:PORT",
            CustomParser = result => ParseEndpoint(result),
        };
        var sni = new Option<string?>("--sni") { Description = "Not supported yet", HelpName = "NAME" };
        var json = new Option<bool>("--json") { Description = "Prints JSON" };
        var command = new Command("locate", "Says which backend a connection goes to, and why, from a configuration file.")
        {
            config, listener, source, destination, sni, json,
        };
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(config) is not string file)
            {
                errors.WriteLine("l4balancer: locate: asking a running daemon is not supported yet: name a file with --config FILE");
                return ExitCode.BadUsage;
            }

            if (parsed.GetValue(sni) is not null)
            {
                errors.WriteLine("l4balancer: --sni: not supported yet; leave it out");
                return ExitCode.BadUsage;
            }

            Location? location = Locate(
                file, parsed.GetRequiredValue(listener), parsed.GetRequiredValue(source), parsed.GetValue(destination), errors);
            return location is null ? ExitCode.BadUsage : Print(location, parsed.GetValue(json), output, errors);
        });
        return (command, "l4balancer locate --config balancer.toml --listener wss --source 203.0.113.7:51234 "
            + "--destination 198.51.100.1:443");
    }

    private static Location? Locate(string path, string listenerName, Endpoint source, Endpoint? destination, TextWriter errors)
    {
        ConfigFile file = ConfigFile.Load(path);
        foreach (string error in file.Errors)
        {
            errors.WriteLine(error);
        }

        if (file.Config is not BalancerConfig config)
        {
            return null;
        }

        if (config.Listeners.FirstOrDefault(l => l.Name == listenerName) is not ListenerSettings listener)
        {
            string known = string.Join(", ", config.Listeners.Select(l => l.Name));
            errors.WriteLine($"l4balancer: --listener {listenerName}: no such listener in {path}; it has: {known}");
            return null;
        }

        TupleFields key = config.Pools.First(p => p.Name == listener.Pool).HashKey;
        if (Location.DestinationFor(listener, key, source, destination, out string mistake) is not Endpoint found)
        {
            errors.WriteLine($"l4balancer: {mistake}");
            return null;
        }

        return Location.Of(config, listenerName, new FourTuple(source, found));
    }

    private static int Print(Location location, bool json, TextWriter output, TextWriter errors)
    {
        if (location.Backend is null)
        {
            errors.WriteLine($"l4balancer: pool {location.Listener.Pool.Name} has no backend that takes connections; give one a weight");
            return ExitCode.Failed;
        }

        output.WriteLine(json ? Json(location) : Text(location));
        return ExitCode.Fine;
    }

    private static string Text(Location location) => string.Create(CultureInfo.InvariantCulture, $"""
        backend   {location.Listener.Pool.Name}/{location.Backend!.Name} ({location.Backend.Settings.Address})
        listener  {location.Listener.Name}
        tuple     {location.Tuple.Source} to {location.Tuple.Destination}
        key       {string.Join(' ', Key(location))}
        hash      {location.Hash:x16}
        ring      {location.Candidates} backends; the hash falls to {location.Backend.Name}
        health    {NotKnown}
        """);

    private static string Json(Location location)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("listener", location.Listener.Name);
            json.WriteString("pool", location.Listener.Pool.Name);
            json.WriteString("backend", location.Backend!.Name);
            json.WriteString("address", location.Backend.Settings.Address);
            json.WriteString("source", location.Tuple.Source.ToString());
            json.WriteString("destination", location.Tuple.Destination.ToString());
            json.WriteStartArray("hash_key");
            foreach (string field in Key(location))
            {
                json.WriteStringValue(field);
            }

            json.WriteEndArray();
            json.WriteString("hash", location.Hash.ToString("x16", CultureInfo.InvariantCulture));
            json.WriteNumber("ring_backends", location.Candidates);
            json.WriteString("health", "unknown");
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    private static IEnumerable<string> Key(Location location)
    {
        TupleFields key = location.Listener.Pool.Settings.HashKey;
        (TupleFields Field, string Name)[] names =
        [
            (TupleFields.SourceIp, "source-ip"), (TupleFields.SourcePort, "source-port"),
            (TupleFields.DestinationIp, "destination-ip"), (TupleFields.DestinationPort, "destination-port"),
        ];
        return names.Where(n => key.HasFlag(n.Field)).Select(n => n.Name);
    }

    private static Endpoint ParseEndpoint(ArgumentResult result)
    {
        string text = result.Tokens[0].Value;
        if (!Endpoint.TryParse(text, out Endpoint endpoint))
        {
            string name = (result.Parent as OptionResult)?.Option.Name ?? "";
            result.AddError($"{name} {text}: not an address and port, as in 203.0.113.7:51234 or [2001:db8::7]:51234");
        }

        return endpoint;
    }
}
