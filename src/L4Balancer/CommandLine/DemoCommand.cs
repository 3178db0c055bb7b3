using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using L4Balancer.Core.Config;
using L4Balancer.Demo;
using L4Balancer.Hosting;

namespace L4Balancer.CommandLine;

/// <summary><c>demo</c>: backends and a balancer in one process, without any configuration.</summary>
internal static class DemoCommand
{
    private const int MostBackends = 1000;

    /// <summary>Shutdown of the demo does not wait longer for connected clients.</summary>
    private static readonly TimeSpan AtOnceAfter = TimeSpan.FromSeconds(2);

    public static (Command, string) Create(TextWriter output, TextWriter errors)
    {
        var backends = new Option<int>("--backends")
        {
            Description = "The number of echo backends, half of them ws and half wss",
            HelpName = "N",
            DefaultValueFactory = _ => 4,
            CustomParser = result => ParseWithin(result, 2, MostBackends),
        };
        var port = new Option<int>("--port")
        {
            Description = "The port for ws; wss uses the next one. 0: any free ports",
            HelpName = "P",
            DefaultValueFactory = _ => 8080,
            CustomParser = result => ParseWithin(result, 0, ushort.MaxValue - 1),
        };
        var command = new Command("demo", "Starts WebSocket echo backends and a balancer in front of them; needs no configuration.")
        {
            backends, port,
        };
        command.SetAction((parsed, _) => RunAsync(parsed.GetValue(backends), (ushort)parsed.GetValue(port), output, errors));
        return (command, "l4balancer demo --backends 6 --port 9000");
    }

    private static async Task<int> RunAsync(int count, ushort port, TextWriter output, TextWriter errors)
    {
        Signals signals = Signals.CatchUntilExit();
        await using EchoBackends backends = await EchoBackends.StartAsync(
            (count + 1) / 2, count / 2, SelfSignedCertificate.Create(TimeProvider.System));
        using var token = new DemoToken();
        var foreground = new Foreground(signals, errors)
        {
            AtOnceAfter = AtOnceAfter,
            Started = daemon => Welcome.Write(output, daemon, backends, token),
        };
        BalancerConfig config = DemoConfig.Of(backends, port, token.Path);
        int code = await foreground.RunAsync(config, path: null);
        if (code != ExitCode.Fine)
        {
            errors.WriteLine("l4balancer: the demo could not start: choose other ports with --port P (make run ARGS=\"--port P\")");
        }

        return code;
    }

    private static int ParseWithin(ArgumentResult result, int least, int most)
    {
        string text = result.Tokens[0].Value;
        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) || value < least || value > most)
        {
            result.AddError($"{(result.Parent as OptionResult)?.Option.Name} {text}: must be a number from {least} to {most}");
        }

        return value;
    }
}
