using System.CommandLine;
using System.Globalization;
using L4Balancer.Bench.Compare;
using L4Balancer.Bench.Control;
using L4Balancer.Bench.Load;
using L4Balancer.Bench.Machine;
using L4Balancer.Bench.Micro;
using L4Balancer.Bench.Packets;
using L4Balancer.Bench.Peers;
using L4Balancer.Bench.Survive;
using L4Balancer.Bench.Survive.Peers;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Bench;

/// <summary>The command line of the bench.</summary>
internal static class BenchCommands
{
    private const int CompareRounds = 7;
    private const int LoadRounds = 3;
    private const int ControlRounds = 9;
    private const int DefaultBurst = 600;

    /// <summary>The differences are small, so there are many pairs.</summary>
    private const int LedgerRounds = 15;

    private const int PacketRounds = 9;
    private const int RestRounds = 3;

    /// <summary>Ten rounds of probes, and a few of whatever else comes by the second.</summary>
    private const int RestBurst = 20_000;

    /// <summary>A thousandth of the messages of such a burst are some hundred.</summary>
    private const int ControlBurst = 3000;

    public static RootCommand Root()
    {
        var root = new RootCommand("Measures L4Balancer. Without a command everything but ledger, packet and survive runs: micro, load, compare, control, rest; about twenty minutes.")
        {
            Micro(),
            Measurement("load", "All workloads against the daemon alone, both engines; about a minute.", LoadRounds, LoadCommand.Run),
            Measurement("compare", "The daemon beside HAProxy and nginx, as far as they are installed; about eight minutes.", CompareRounds, CompareCommand.Run),
            Measurement("control", "What a busy control plane costs the data path; about five minutes.", ControlRounds, ControlCommand.Run, ControlBurst),
            Measurement("rest", "CPU of a daemon whose connections say nothing; about four minutes.", RestRounds, RestCommand.Run, RestBurst),
            Measurement("ledger", "What noting connections in the ledger costs an event loop; about a minute.", LedgerRounds, LedgerCost.Run),
            Measurement("packet", "Packet listeners beside relays, proxies and nftables, CPU of the whole machine; about four minutes.", PacketRounds, PacketCommand.Run),
            Survive(),
            Peers(),
            Hidden("survive-clients", "The clients of one third of survive.", SteadyClients.Run),
            Hidden("survive-backends", "Their backends.", SteadyBackends.Run),
            Hidden("survive-newcomers", "The clients that connect beside them.", Newcomers.Run),
            Hidden("operators", "Whoever keeps the control plane busy for control.", a => Operators.Run(Port(a[0]), Port(a[1]))),
            Hidden("probed", "The backends that are only there to be probed.", _ => ProbedBackends.Run()),
            Hidden("burn", "Burns a share of a processor for control.", a => Burner.Run(double.Parse(a[0], CultureInfo.InvariantCulture))),
        };
        root.SetAction(_ => Everything());
        return root;
    }

    private static int Everything()
    {
        int failed = MicroCommand.Run([]);
        foreach (string command in new[] { "load", "compare", "control", "rest" })
        {
            failed |= Root().Parse(command).Invoke();
        }

        return failed;
    }

    private static Command Micro()
    {
        var rest = new Argument<string[]>("arguments")
        {
            Description = "For BenchmarkDotNet, as in: micro -- --filter '*Ring*' (or --list flat).",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var command = new Command("micro", "The hot paths one by one, with BenchmarkDotNet; about six minutes.") { rest };
        command.SetAction(parsed => MicroCommand.Run(parsed.GetValue(rest)!));
        return command;
    }

    private static Command Measurement(string name, string description, int defaultRounds, Func<RunOptions, int> run, int defaultBurst = DefaultBurst)
    {
        var rounds = new Option<int>("--rounds") { Description = "Bursts of each balancer in each row.", DefaultValueFactory = _ => defaultRounds };
        var burst = new Option<int>("--burst") { Description = "Length of a burst in milliseconds.", DefaultValueFactory = _ => defaultBurst };
        var congestion = new Option<string?>("--congestion") { Description = "TCP congestion control for everybody (\"cubic\"); default: the host's." };
        var only = new Option<string?>("--only") { Description = "Only rows whose name has this in it (\"bulk\", \"64 conn\", \"idle\", \"allocations\")." };
        var seed = new Option<int>("--seed") { Description = "Of the order of the bursts.", DefaultValueFactory = _ => 4711 };
        var daemon = new Option<string?>("--daemon") { Description = "Another l4balancer executable than the published one (artifacts/publish/l4balancer)." };
        var against = new Option<string?>("--against") { Description = "compare: another build of the daemon, run in the same rounds." };
        var command = new Command(name, description) { rounds, burst, congestion, only, seed, daemon, against };
        command.SetAction(parsed =>
        {
            if (!OperatingSystem.IsLinux())
            {
                Console.Error.WriteLine($"bench: {name} needs Linux (epoll, /proc, namespaces)");
                return 2;
            }

            string? algorithm = parsed.GetValue(congestion);
            if (algorithm is not null && !NetworkNamespace.AllowedCongestion.Split(' ').Contains(algorithm))
            {
                Console.Error.WriteLine(
                    $"bench: --congestion {algorithm}: allowed here: {NetworkNamespace.AllowedCongestion}. To allow it: " +
                    $"sysctl -w net.ipv4.tcp_allowed_congestion_control=\"{NetworkNamespace.AllowedCongestion} {algorithm}\"");
                return 2;
            }

            string[] arguments =
            [
                name,
                "--rounds", Text(parsed.GetValue(rounds)),
                "--burst", Text(parsed.GetValue(burst)),
                "--seed", Text(parsed.GetValue(seed)),
                .. Given(only.Name, parsed.GetValue(only)),
                .. Given(daemon.Name, parsed.GetValue(daemon)),
                .. Given(against.Name, parsed.GetValue(against)),
            ];
            if (!NetworkNamespace.Entered && NetworkNamespace.Run(arguments, algorithm) is int code)
            {
                return code;
            }

            if (!NetworkNamespace.Entered && algorithm is not null)
            {
                Console.Error.WriteLine("bench: --congestion needs a network namespace (unshare, ip), which cannot be made here");
                return 2;
            }

            ResourceLimits.RaiseDescriptorLimit(out _);
            return run(new RunOptions(
                parsed.GetValue(rounds),
                TimeSpan.FromMilliseconds(parsed.GetValue(burst)),
                algorithm,
                parsed.GetValue(only),
                parsed.GetValue(seed),
                parsed.GetValue(daemon),
                parsed.GetValue(against)));
        });
        return command;
    }

    private static Command Survive()
    {
        var connections = new Option<int>("--connections") { Description = "Of all three thirds together.", DefaultValueFactory = _ => 6000 };
        var upgrades = new Option<int>("--upgrades") { Description = "Upgrades of the daemon, in a row." };
        var kills = new Option<int>("--kills") { Description = "kill -9 of the daemon, each followed by a restart; after the upgrades." };
        var none = new Option<bool>("--none") { Description = "No events: what the load is like by itself." };
        var calm = new Option<int>("--calm") { Description = "Seconds without events before the first.", DefaultValueFactory = _ => 20 };
        var every = new Option<int>("--every") { Description = "Milliseconds from an event to the next.", DefaultValueFactory = _ => 2000 };
        var rate = new Option<int>("--rate") { Description = "New connections a second beside the thirds.", DefaultValueFactory = _ => 1000 };
        var busy = new Option<double>("--busy") { Description = "The machine is at most this busy before, as a ratio.", DefaultValueFactory = _ => 0.6 };
        var standstill = new Option<double>("--standstill")
        {
            Description = "The longest p99.9 of messages during upgrades, in milliseconds; 0: it is not judged.",
            DefaultValueFactory = _ => 20,
        };
        var workers = new Option<int>("--workers") { Description = "Event loops of the daemon; 0: its default." };
        var daemon = new Option<string?>("--daemon") { Description = "Another l4balancer executable than the published one (artifacts/publish/l4balancer)." };
        var congestion = new Option<string?>("--congestion") { Description = "TCP congestion control for everybody (\"cubic\"); default: the host's." };
        var withoutKeeper = new Option<bool>("--without-keeper") { Description = "The daemon runs with keeper = false: everything is lost." };
        var command = new Command("survive", "What upgrades and kill -9 of the daemon cost thousands of connections; some minutes.")
        {
            connections, upgrades, kills, none, calm, every, rate, busy, standstill, workers, daemon, congestion, withoutKeeper,
        };
        command.SetAction(parsed =>
        {
            if (!OperatingSystem.IsLinux())
            {
                Console.Error.WriteLine("bench: survive needs Linux (epoll, /proc, namespaces)");
                return 2;
            }

            if (!parsed.GetValue(none) && parsed.GetValue(upgrades) + parsed.GetValue(kills) == 0)
            {
                Console.Error.WriteLine("bench: survive: name the events: --upgrades N, --kills N, or --none");
                return 2;
            }

            string[] arguments = [.. parsed.Tokens.Select(static t => t.Value)];
            if (!NetworkNamespace.Entered && NetworkNamespace.Run(arguments, parsed.GetValue(congestion)) is int code)
            {
                return code;
            }

            ResourceLimits.RaiseDescriptorLimit(out _);
            return SurviveCommand.Run(new SurviveOptions(
                parsed.GetValue(connections),
                parsed.GetValue(none) ? 0 : parsed.GetValue(upgrades),
                parsed.GetValue(none) ? 0 : parsed.GetValue(kills),
                TimeSpan.FromSeconds(parsed.GetValue(calm)),
                TimeSpan.FromMilliseconds(parsed.GetValue(every)),
                parsed.GetValue(rate),
                parsed.GetValue(busy),
                parsed.GetValue(standstill),
                parsed.GetValue(workers),
                parsed.GetValue(daemon),
                Keeper: !parsed.GetValue(withoutKeeper)));
        });
        return command;
    }

    private static Command Peers()
    {
        var port = new Option<ushort>("--port") { Required = true };
        var holders = new Option<int[]>("--in") { Description = "Processes in whose network namespaces they listen." };
        var command = new Command("peers", "The backends of load and compare, which start it themselves.") { port, holders };
        command.Hidden = true;
        command.SetAction(parsed => PeerServer.Run(parsed.GetValue(port), parsed.GetValue(holders) ?? []));
        return command;
    }

    private static Command Hidden(string name, string description, Func<string[], int> run)
    {
        var rest = new Argument<string[]>("arguments") { Arity = ArgumentArity.ZeroOrMore };
        var command = new Command(name, description) { rest };
        command.Hidden = true;
        command.SetAction(parsed => run(parsed.GetValue(rest)!));
        return command;
    }

    private static ushort Port(string text) => ushort.Parse(text, CultureInfo.InvariantCulture);

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static string[] Given(string option, string? value) => value is null ? [] : [option, value];
}
