using System.Globalization;
using System.Text;
using L4Balancer.Bench.Machine;
using L4Balancer.Bench.Peers;

namespace L4Balancer.Bench.Contestants;

/// <summary>Our daemon with one of its engines.</summary>
/// <param name="engine">As in the configuration.</param>
/// <param name="program">The executable; null: the one that <c>make publish</c> leaves.</param>
/// <param name="surname">Distinguishes it from another one of the same engine.</param>
/// <param name="tables">Further tables of its configuration.</param>
/// <param name="listener">Further lines of each listener.</param>
/// <param name="pool">Further lines of each pool.</param>
/// <param name="keeper">
/// The value of <c>keeper</c>, for a daemon with an admin socket, beside which the keeper's folder lies; null: without that socket, and so
/// without a keeper.
/// </param>
internal sealed class DaemonKind(
    string engine, string? program, string surname = "", string tables = "", string listener = "", string pool = "", bool? keeper = null)
    : ContestantKind
{
    /// <summary>Ends the name of a contestant that has an admin socket and no keeper.</summary>
    public const string WithoutKeeper = ", without keeper";

    /// <summary>The pool of connections that no route fits.</summary>
    private const string Nowhere = "nowhere";

    private readonly string _program = ProgramOf(program);

    public override string Name => $"l4balancer {engine}{surname}";

    public override string? Version => File.Exists(_program) ? InstalledVersion.Ask(_program, "version") : null;

    /// <param name="program">Null: the one that <c>make publish</c> leaves.</param>
    public static string ProgramOf(string? program) => Path.GetFullPath(program ?? Path.Combine(OwnCommand.Repository, "artifacts/publish/l4balancer"));

    public override IReadOnlyList<string> Prepare(string directory, Wiring wiring)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"""
            [balancer]
            workers = 1
            engine = "{engine}"
            max_connections = {Connections}
            access_log = "{(wiring.Duty == Duty.AccessLog ? "all" : "off")}"
            shutdown_grace = "0s"
            {(keeper is null ? "" : $"keeper = {(keeper.Value ? "true" : "false")}")}
            """);
        if (!tables.Contains("[admin]", StringComparison.Ordinal))
        {
            string socket = keeper is null ? "" : Path.Combine(directory, "admin.sock");
            text.AppendLine("[admin]").AppendLine(CultureInfo.InvariantCulture, $"socket = \"{socket}\"");
        }

        foreach (PeerRole role in Wiring.Roles)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"""
                [[listeners]]
                name = "{Wiring.Name(role)}"
                bind = ["{wiring.Listen(role)}"]
                pool = "{(wiring.Duty == Duty.ServerNames ? Nowhere : Wiring.Name(role))}"
                {ListenerOf(wiring.Duty)}
                {listener}
                """);
            if (wiring.Duty == Duty.ServerNames)
            {
                text.AppendLine(CultureInfo.InvariantCulture, $"""
                    [[listeners.routes]]
                    sni = [{string.Join(", ", ServerNames.All.Select(static n => $"\"{n}\""))}]
                    pool = "{Wiring.Name(role)}"
                    """);
            }
        }

        foreach (PeerRole role in Wiring.Roles)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"""
                [[pools]]
                name = "{Wiring.Name(role)}"
                health = {"{"} type = "none" {"}"}
                {(wiring.Duty == Duty.Proxy ? "send_proxy = \"v2\"" : "")}
                {pool}
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

        if (wiring.Duty == Duty.ServerNames)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"""
                [[pools]]
                name = "{Nowhere}"
                health = {"{"} type = "none" {"}"}
                backends = [{"{"} name = "b", address = "127.0.0.1:1" {"}"}]
                """);
        }

        text.AppendLine(tables);
        string file = Path.Combine(directory, "balancer.toml");
        File.WriteAllText(file, text.ToString());
        return [_program, "run", "--config", file];
    }

    private static string ListenerOf(Duty duty) => duty switch
    {
        Duty.ServerNames => "inspect = \"tls\"",
        Duty.Proxy => "accept_proxy_from = [\"127.0.0.0/8\"]",
        _ => "",
    };
}
