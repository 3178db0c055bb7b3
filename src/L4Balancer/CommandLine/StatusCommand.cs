using System.CommandLine;
using System.Globalization;
using L4Balancer.Admin.Answers;
using L4Balancer.Admin.Client;
using L4Balancer.Hosting;

namespace L4Balancer.CommandLine;

/// <summary><c>status</c>: the state of the daemon, with totals.</summary>
internal static class StatusCommand
{
    public static (Command, string) Create(AdminSession asking)
    {
        Option<bool> json = AdminSession.Json();
        var healthz = new Option<bool>("--healthz")
        {
            Description = "Asks /healthz instead and prints nothing: exit code 0 if the process lives. For the health check of a container",
        };
        var command = new Command("status", "Shows the state of the running daemon.") { json, healthz };
        command.SetAction((parsed, _) => parsed.GetValue(healthz)
            ? asking.RunAsync(parsed, client => LivesAsync(asking, client))
            : asking.RunAsync(parsed, client => ShowAsync(asking, client, parsed.GetValue(json))));
        return (command, "l4balancer status --json");
    }

    private static async Task<int> ShowAsync(AdminSession asking, AdminClient client, bool json)
    {
        int code = await asking.ShowAsync(client, "status", json, "/v1/status", AdminJson.Default.StatusAnswer, status =>
        {
            Write(asking.Screen, status);
            return ExitCode.Fine;
        });
        if (code == ExitCode.Fine && !json)
        {
            AdminReply reply = await client.SendAsync(HttpMethod.Get, "/v1/backends");
            WriteSheds(asking.Screen, reply.TryRead(AdminJson.Default.BackendsAnswer)?.Backends ?? []);
        }

        return code;
    }

    /// <summary>The backends whose connections are being closed at a pace; nothing where there are none.</summary>
    private static void WriteSheds(Screen screen, IEnumerable<BackendAnswer> backends)
    {
        var sheds = new TextTable("closing", "because of", ">closed", ">of");
        bool any = false;
        foreach (BackendAnswer backend in backends)
        {
            if (backend.Shedding is { } shedding)
            {
                any = true;
                sheds.Add($"{backend.Pool}/{backend.Name}", shedding.Reason, Quantity.Count(shedding.Closed), Quantity.Count(shedding.Planned));
            }
        }

        if (any)
        {
            screen.Output.WriteLine();
            screen.Write(sheds);
        }
    }

    private static async Task<int> LivesAsync(AdminSession asking, AdminClient client) =>
        asking.Fault("status", await client.SendAsync(HttpMethod.Get, "/healthz")) ?? ExitCode.Fine;

    private static void Write(Screen screen, StatusAnswer status)
    {
        string reloaded = string.Create(CultureInfo.InvariantCulture, $"generation {status.Generation}");
        var facts = new TextTable("daemon", status.Ready ? "ready" : "draining") { WrapsLast = true };
        facts.Add("host", status.Host);
        facts.Add("version", $"{status.Version} ({status.Commit})");
        facts.Add("engine", $"{status.Engine}, {status.Runtime}");
        facts.Add("process", $"pid {Quantity.Count(status.Pid)}, up {Quantity.Seconds(status.UptimeSeconds)}");
        facts.Add("configuration", reloaded);
        facts.Add("connections", $"{status.Connections.Active} active, {status.Connections.Pending} pending, at most {status.Connections.Limit}");
        facts.Add("accepted", Quantity.Count(status.Accepted));
        facts.Add("refused", status.Refused.Count == 0 ? "0" : Quantity.Reasons(status.Refused));
        facts.Add("closed", status.Closed.Count == 0 ? "0" : Quantity.Reasons(status.Closed));
        facts.Add("relayed", $"{Quantity.Bytes(status.BytesToBackend)} to backends, {Quantity.Bytes(status.BytesToClient)} to clients");
        facts.Add("descriptors", $"{status.Descriptors.Open} of {status.Descriptors.Limit}");
        if (status.Fleet is { } fleet)
        {
            facts.Add("fleet", FleetCommand.Line(fleet));
        }

        if (status.Upgrade is { } upgrade)
        {
            facts.Add("upgrade", UpgradeCommand.Line(upgrade));
        }

        screen.Write(facts);

        var listeners = new TextTable("listener", "addresses", "pool", ">accepted", ">pending", ">open", "refused")
        {
            LeavesOut = ["refused", "pending", "open", "pool"],
        };
        foreach (ListenerAnswer l in status.Listeners)
        {
            listeners.Add(
                l.Name, string.Join(" ", l.Addresses), l.Pool, Quantity.Count(l.Accepted), Quantity.Count(l.Pending),
                Quantity.Count(l.Open), l.Refused.Count == 0 ? "-" : Quantity.Reasons(l.Refused));
        }

        screen.Output.WriteLine();
        screen.Write(listeners);
        WritePackets(status, screen);

        var pools = new TextTable("pool", "balance", ">backends", ">up", ">degraded", ">down", ">draining", ">maintenance", ">checking", ">connections", "note")
        {
            LeavesOut = ["checking", "maintenance", "draining", "degraded", "balance", "down", "note"],
            WrapsLast = true,
        };
        foreach (PoolAnswer p in status.Pools)
        {
            pools.Add(
                p.Name, p.Balance, Quantity.Count(p.Backends), Quantity.Count(p.Up), Quantity.Count(p.Degraded), Quantity.Count(p.Down), Quantity.Count(p.Draining),
                Quantity.Count(p.Maintenance), Quantity.Count(p.Checking), Quantity.Count(p.Connections), Note(p));
        }

        screen.Output.WriteLine();
        screen.Write(pools);
        WriteDiscovery(status, screen);
    }

    private static void WritePackets(StatusAnswer status, Screen screen)
    {
        if (status.Listeners.All(static l => l.Packets is null))
        {
            return;
        }

        var packets = new TextTable("packets of", "forward", ">flows", ">at most", "attached");
        foreach (ListenerAnswer listener in status.Listeners)
        {
            if (listener.Packets is { } p)
            {
                packets.Add(
                    listener.Name, p.Forward, Quantity.Count(p.Flows), Quantity.Count(p.FlowsLimit), p.Attachment.Length == 0 ? "no" : p.Attachment);
            }
        }

        screen.Output.WriteLine();
        screen.Write(packets);
        if (status.PacketsDropped is { } dropped)
        {
            var reasons = dropped.Where(static d => d.Value > 0).ToDictionary();
            screen.Output.WriteLine($"packets dropped: {(reasons.Count == 0 ? "0" : Quantity.Reasons(reasons))}");
        }
    }

    private static void WriteDiscovery(StatusAnswer status, Screen screen)
    {
        var sources = new TextTable("discovery", "source", ">backends", ">age", ">errors", "version", "note")
        {
            LeavesOut = ["version", "errors", "note"],
            WrapsLast = true,
        };
        bool any = false;
        foreach (PoolAnswer pool in status.Pools)
        {
            if (pool.Discovery is { } source)
            {
                any = true;
                sources.Add(
                    pool.Name, source.Source, Quantity.Count(source.Backends), Quantity.Seconds(source.AgeSeconds), Quantity.Count(source.Errors),
                    source.Version.Length == 0 ? "-" : source.Version, Note(source));
            }
        }

        if (any)
        {
            screen.Output.WriteLine();
            screen.Write(sources);
        }
    }

    private static string Note(DiscoveryAnswer source)
    {
        string held = source.Held is { } set
            ? string.Create(CultureInfo.InvariantCulture, $"held for {Quantity.Seconds(set.SinceSeconds)}: only {set.Backends} backends") : "";
        return source.Warning is { } warning ? held.Length > 0 ? $"{warning}; {held}" : warning : held;
    }

    private static string Note(PoolAnswer pool)
    {
        string dead = pool.TakesConnections ? "" : "no backend takes connections";
        string rebalance = pool.Rebalance is RebalancingAnswer running
            ? string.Create(CultureInfo.InvariantCulture, $"rebalance: {running.Closed} of {running.Planned} closed") : "";
        return dead.Length > 0 && rebalance.Length > 0 ? $"{dead}; {rebalance}" : dead + rebalance;
    }
}
