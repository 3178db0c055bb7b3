using System.CommandLine;
using System.Text.Json;
using L4Balancer.Admin.Answers;
using L4Balancer.Admin.Client;
using L4Balancer.Hosting;

namespace L4Balancer.CommandLine;

/// <summary><c>backends</c>: one line per backend.</summary>
internal static class BackendsCommand
{
    private static readonly string[] States = ["up", "degraded", "down", "draining", "maintenance", "checking"];

    public static (Command, string) Create(AdminSession asking)
    {
        var pool = new Argument<string?>("POOL") { Description = "Only the backends of this pool", Arity = ArgumentArity.ZeroOrOne };
        pool.CompletionSources.Add(context => BackendNames.Pools(asking, context));
        var state = new Option<string?>("--state") { Description = "Only backends in this state", HelpName = string.Join('|', States) };
        state.CompletionSources.Add(States);
        state.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: string text }] && !States.Contains(text))
            {
                result.AddError($"--state {text}: must be one of {string.Join(", ", States)}");
            }
        });
        Option<bool> json = AdminSession.Json();
        var command = new Command("backends", "Lists the backends of the running daemon, or some of them.") { pool, state, json };
        command.SetAction((parsed, _) => asking.RunAsync(
            parsed, client => ShowAsync(asking, client, parsed.GetValue(pool), parsed.GetValue(state), parsed.GetValue(json))));
        return (command, "l4balancer backends chat --state down");
    }

    private static async Task<int> ShowAsync(AdminSession asking, AdminClient client, string? pool, string? state, bool json)
    {
        AdminReply reply = await asking.Screen.WaitAsync(client.SendAsync(HttpMethod.Get, "/v1/backends"), "asking the daemon");
        if (asking.Fault("backends", reply) is int code)
        {
            return code;
        }

        if (reply.TryRead(AdminJson.Default.BackendsAnswer) is not { } answer)
        {
            return asking.Foreign("backends");
        }

        BackendAnswer[] all = [.. answer.Backends];
        if (pool is not null && !Array.Exists(all, b => b.Pool == pool) && await UnknownAsync(client, pool) is string unknown)
        {
            return asking.Fail(ExitCode.Failed, $"backends: {unknown}");
        }

        bool[] fits = [.. all.Select(b => (pool is null || b.Pool == pool) && (state is null || b.State == state))];
        if (json)
        {
            asking.Screen.Output.WriteLine(Array.TrueForAll(fits, f => f) ? reply.Text : Some(reply, fits));
        }
        else
        {
            asking.Screen.Write(Table(all.Where((_, i) => fits[i])));
        }

        return ExitCode.Fine;
    }

    // A pool without backends is one all the same.
    private static async Task<string?> UnknownAsync(AdminClient client, string pool)
    {
        AdminReply reply = await client.SendAsync(HttpMethod.Get, "/v1/status");
        string[] pools = [.. reply.TryRead(AdminJson.Default.StatusAnswer)?.Pools.Select(p => p.Name) ?? [pool]];
        return pools.Contains(pool) ? null
            : $"no pool {pool} in the configuration: {Advice.For(pool, pools, "status")}";
    }

    // The elements of the answer as they are, so that what this version does not know is kept.
    private static string Some(AdminReply reply, bool[] fits)
    {
        using JsonDocument whole = JsonDocument.Parse(reply.Text);
        using var text = new MemoryStream();
        using (var writer = new Utf8JsonWriter(text))
        {
            writer.WriteStartObject();
            writer.WriteStartArray("backends");
            foreach (JsonElement backend in whole.RootElement.GetProperty("backends").EnumerateArray().Where((_, i) => fits[i]))
            {
                backend.WriteTo(writer);
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        return System.Text.Encoding.UTF8.GetString(text.ToArray());
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
        ])
        {
            LeavesOut = ["closing", "failures", "to backend", "to client", "share", "address", "weight", "since", "health", "in packets"],
        };
        foreach (BackendAnswer b in all)
        {
            string[] sent = !hasPackets ? [] : b.Packets is { } p ? [Quantity.Count(p.Packets), Quantity.Bytes(p.Bytes)] : ["-", "-"];
            table.Add(
            [
                $"{b.Pool}/{b.Name}", Address(b), b.State, b.StateSeconds is double seconds ? Quantity.Seconds(seconds) : "-",
                Quantity.Count(b.Weight) + (b.WeightSet is null ? "" : "*") + (b.Backup ? " backup" : ""),
                Quantity.Count(b.Connections), Quantity.Ratio(b.ShareRatio), Quantity.Count(b.ConnectFailures.Values.Sum()),
                Quantity.Bytes(b.BytesToBackend), Quantity.Bytes(b.BytesToClient), .. sent, Closing(b), Health(b),
            ]);
            if (b.WeightSet is not null)
            {
                table.Note = "* weight set at run time";
            }
        }

        return table;
    }

    public static string Address(BackendAnswer backend) =>
        backend.ResolvedAddress is null || backend.ResolvedAddress == backend.Address ? backend.Address : $"{backend.Address} ({backend.ResolvedAddress})";

    /// <summary>The paced close that runs; "-" without one.</summary>
    public static string Closing(BackendAnswer backend) => backend.Shedding is SheddingAnswer shedding
        ? $"{shedding.Reason} {Quantity.Count(shedding.Closed)} of {Quantity.Count(shedding.Planned)}" : "-";

    public static string Health(BackendAnswer backend) =>
        !backend.InConfiguration ? "removed from the file"
        : backend.Health.Detail.Length > 0 ? backend.Health.Detail
        : !backend.Resolved ? $"name does not resolve: {backend.ResolveError}; {backend.ResolvedAddress} stays in use"
        : backend.Health.LastProbe is not ProbeAnswer last ? "-"
        : last.Detail.Length > 0 ? last.Detail
        : last.Outcome;
}
