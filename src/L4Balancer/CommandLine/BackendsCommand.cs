using System.CommandLine;
using L4Balancer.Admin.Answers;
using L4Balancer.Hosting;

namespace L4Balancer.CommandLine;

/// <summary><c>backends</c>: one line per backend.</summary>
internal static class BackendsCommand
{
    public static (Command, string) Create(AdminSession asking)
    {
        Option<bool> json = AdminSession.Json();
        var command = new Command("backends", "Lists the backends of the running daemon.") { json };
        command.SetAction((parsed, _) => asking.ShowAsync(parsed, json, "/v1/backends", AdminJson.Default.BackendsAnswer, answer =>
        {
            asking.Screen.Write(Table(answer.Backends));
            return ExitCode.Fine;
        }));
        return (command, "l4balancer backends");
    }

    public static TextTable Table(IEnumerable<BackendAnswer> backends)
    {
        BackendAnswer[] all = [.. backends];
        bool hasPackets = all.Any(static b => b.Packets is not null);
        string[] packets = hasPackets ? [">packets", ">in packets"] : [];
        var table = new TextTable(
        [
            "backend", "address", "state", ">since", ">weight", ">connections", ">share", ">failures", ">to backend", ">to client", .. packets, "closing",
            "health",
        ]);
        foreach (BackendAnswer b in all)
        {
            string[] sent = !hasPackets ? [] : b.Packets is { } p ? [Quantity.Count(p.Packets), Quantity.Bytes(p.Bytes)] : ["-", "-"];
            table.Add(
            [
                $"{b.Pool}/{b.Name}", Address(b), b.State, b.StateSeconds is double seconds ? Quantity.Seconds(seconds) : "-",
                Quantity.Count(b.Weight) + (b.Backup ? " backup" : ""),
                Quantity.Count(b.Connections), Quantity.Ratio(b.ShareRatio), Quantity.Count(b.ConnectFailures.Values.Sum()),
                Quantity.Bytes(b.BytesToBackend), Quantity.Bytes(b.BytesToClient), .. sent, Closing(b), Health(b),
            ]);
        }

        return table;
    }

    private static string Address(BackendAnswer backend) =>
        backend.ResolvedAddress is null || backend.ResolvedAddress == backend.Address ? backend.Address : $"{backend.Address} ({backend.ResolvedAddress})";

    private static string Closing(BackendAnswer backend) => backend.Shedding is SheddingAnswer shedding
        ? $"{shedding.Reason} {Quantity.Count(shedding.Closed)} of {Quantity.Count(shedding.Planned)}" : "-";

    private static string Health(BackendAnswer backend) =>
        !backend.InConfiguration ? "removed from the file"
        : backend.Health.Detail.Length > 0 ? backend.Health.Detail
        : !backend.Resolved ? $"name does not resolve: {backend.ResolveError}; {backend.ResolvedAddress} stays in use"
        : backend.Health.LastProbe is not ProbeAnswer last ? "-"
        : last.Detail.Length > 0 ? last.Detail
        : last.Outcome;
}
