using System.Collections.Immutable;
using System.CommandLine;
using System.CommandLine.Parsing;
using System.Runtime.Versioning;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Packets;
using L4Balancer.Hosting;

namespace L4Balancer.CommandLine;

/// <summary><c>decapsulate</c>: runs on a backend, and takes the outer headers off that a listener with <c>forward = "ipip"</c> puts on.</summary>
internal static class DecapsulateCommand
{
    private const string Interfaces = "/sys/class/net";

    public static (Command, string) Create(TextWriter output, TextWriter errors)
    {
        var link = new Option<string>("--interface")
        {
            Description = "The network interface that the packets of the balancer arrive at",
            HelpName = "I",
            Required = true,
        };
        link.CompletionSources.Add(static _ => Directory.Exists(Interfaces) ? Directory.EnumerateDirectories(Interfaces).Select(static i => Path.GetFileName(i)!) : []);
        var secondChance = new Option<bool>("--second-chance")
        {
            Description = "Send a packet of no connection on to the backend that its outer header names (docs/packet-backends.md)",
        };
        var addresses = new Option<ImmutableArray<HostAddress>>("--address")
        {
            Description = "Only packets to this virtual address; may be given several times. Default: packets to every address",
            HelpName = "VIP",
            AllowMultipleArgumentsPerToken = true,
            CustomParser = Parse,
        };
        var command = new Command(
            "decapsulate", "Runs on a backend of forward = \"ipip\", in the foreground: takes the outer headers off, in the kernel, until it ends.")
        {
            link, secondChance, addresses,
        };
        command.SetAction(async (parsed, _) =>
        {
            if (!OperatingSystem.IsLinux())
            {
                errors.WriteLine("l4balancer: decapsulate: packets can be decapsulated on Linux only");
                return ExitCode.Failed;
            }

            return await RunAsync(parsed.GetValue(link)!, parsed.GetValue(secondChance), parsed.GetValue(addresses), output, errors);
        });
        return (command, "l4balancer decapsulate --interface eth0 --address 192.0.2.10");
    }

    [SupportedOSPlatform("linux")]
    private static async Task<int> RunAsync(
        string link, bool secondChance, ImmutableArray<HostAddress> addresses, TextWriter output, TextWriter errors)
    {
        Signals signals = Signals.CatchUntilExit();
        try
        {
            using Decapsulator decapsulator = Decapsulator.Attach(link, secondChance, addresses.IsDefault ? [] : addresses);
            if (secondChance && Decapsulator.WhyNoRoutes(link) is string mend)
            {
                errors.WriteLine($"l4balancer: warning: {mend}");
            }

            output.WriteLine($"{decapsulator.Attachment}: outer headers are taken off until this process ends");
            output.Flush();
            await signals.StopBeforeAsync(Task.Delay(Timeout.Infinite));
            (long stripped, long sentOn) = decapsulator.Read();
            output.WriteLine($"{stripped} packets were taken out of tunnels, {sentOn} went on to another backend");
            return ExitCode.Fine;
        }
        catch (PacketFaultException e)
        {
            errors.WriteLine($"l4balancer: decapsulate: {e.Message}");
            return ExitCode.Failed;
        }
    }

    private static ImmutableArray<HostAddress> Parse(ArgumentResult result)
    {
        var addresses = ImmutableArray.CreateBuilder<HostAddress>();
        foreach (Token token in result.Tokens)
        {
            if (HostAddress.TryParse(token.Value, out HostAddress address))
            {
                addresses.Add(address);
            }
            else
            {
                result.AddError($"--address {token.Value}: must be an IPv4 or IPv6 address");
            }
        }

        return addresses.ToImmutable();
    }
}
