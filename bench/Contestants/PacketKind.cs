using System.Globalization;
using System.Text;
using L4Balancer.Bench.Machine;
using L4Balancer.Bench.Peers;

namespace L4Balancer.Bench.Contestants;

/// <summary>Our daemon with a packet listener on eth0.</summary>
/// <param name="name">Of the contestant.</param>
/// <param name="forward">As in the configuration.</param>
/// <param name="program">The executable; null: the one that <c>make publish</c> leaves.</param>
/// <param name="further">Further virtual addresses.</param>
internal sealed class PacketKind(string name, string forward, string? program, params IReadOnlyList<string> further) : ContestantKind
{
    public string Program { get; } = DaemonKind.ProgramOf(program);

    public override string Name => name;

    public override string? Version => File.Exists(Program) ? InstalledVersion.Ask(Program, "version") : null;

    public override IReadOnlyList<string> Prepare(string directory, Wiring wiring)
    {
        IEnumerable<string> addresses = [wiring.Address.ToString(), .. further];
        IEnumerable<string> binds = addresses.SelectMany(a => Wiring.Roles.Select(r => string.Create(CultureInfo.InvariantCulture, $"\"{a}:{wiring.ListenBase + (int)r}\"")));
        var text = new StringBuilder();

        // A backend is probed once: its connections are counted.
        foreach (PeerRole role in Wiring.Roles)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"""
                [[listeners]]
                name = "{Wiring.Name(role)}"
                mode = "packet"
                interface = "eth0"
                forward = "{forward}"
                bind = [{string.Join(", ", binds.Where((_, i) => i % Wiring.Roles.Count == (int)role))}]
                pool = "{Wiring.Name(role)}"
                [[pools]]
                name = "{Wiring.Name(role)}"
                balance = "maglev"
                health = {"{"} type = "tcp", interval = "1h", fast_interval = "200ms", down_interval = "200ms", rise = 1, jitter = 0 {"}"}
                """);
            foreach ((int index, Core.Addressing.Endpoint backend) in wiring.Backends(role).Index())
            {
                text.AppendLine(CultureInfo.InvariantCulture, $"""
                      [[pools.backends]]
                      name = "b{index}"
                      address = "{backend}"
                    """);
            }
        }

        string file = Path.Combine(directory, "balancer.toml");
        File.WriteAllText(file, $"""
            [balancer]
            workers = 1
            keeper = false
            shutdown_grace = "0s"
            [admin]
            socket = "{Path.Combine(directory, "admin.sock")}"
            {text}
            """);
        return [Program, "run", "--config", file];
    }
}
