using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using L4Balancer.Admin;
using L4Balancer.Admin.Answers;
using L4Balancer.Admin.Client;
using L4Balancer.Hosting;

namespace L4Balancer.CommandLine;

/// <summary><c>drain</c> and <c>rebalance</c>: close connections at a limited rate and show the progress until the end.</summary>
internal static class ShedCommands
{
    private const string Draining = "draining";
    private const string Down = "down";

    public static IEnumerable<(Command, string)> Create(AdminSession asking)
    {
        yield return Drain(asking);
        yield return Rebalance(asking);
    }

    private static (Command, string) Drain(AdminSession asking)
    {
        Argument<string> backend = ChangeCommands.Backend(asking);
        Option<int?> rate = Rate("Closes the connections at this rate per second; 0: all at once");
        var within = new Option<string?>("--within") { Description = "Closes the connections evenly within this time: 90s, 10m", HelpName = "DURATION" };
        Option<string?> until = ChangeCommands.Until();
        within.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: string text }] && !ShedQuery.TryTime(text, out _))
            {
                result.AddError($"--within {text}: write a duration from 1ms to 365d, like 90s or 10m");
            }
        });
        var command = new Command(
            "drain", "Sends no new connections to a backend; established ones are kept, or closed at a rate or within a time.")
        {
            backend, rate, within, until,
        };
        command.Validators.Add(result =>
        {
            if (result.GetResult(rate) is not null && result.GetResult(within) is not null)
            {
                result.AddError("either --rate or --within, not both");
            }
        });
        command.SetAction((parsed, _) => asking.RunAsync(parsed, client => DrainAsync(
            asking, client, parsed.GetRequiredValue(backend),
            parsed.GetValue(rate) is int perSecond ? Invariant($"?rate={perSecond}")
                : parsed.GetValue(within) is string time ? $"?within={time}" : "",
            parsed.GetValue(until))));
        return (command, "l4balancer drain chat/ws1 --within 5m");
    }

    private static async Task<int> DrainAsync(AdminSession asking, AdminClient client, string backend, string query, string? until)
    {
        string path = $"/v1/backends/{backend}";
        string lasts = until is null ? "" : $"{(query.Length == 0 ? '?' : '&')}{ShedQuery.Until}={until}";
        AdminReply reply = await asking.Screen.WaitAsync(client.SendAsync(HttpMethod.Post, $"{path}/drain{query}{lasts}"), "asking the daemon");
        if (asking.Fault("drain", reply) is int code)
        {
            return code;
        }

        if (reply.TryRead(AdminJson.Default.BackendAnswer) is not BackendAnswer now)
        {
            return asking.Foreign("drain");
        }

        asking.Warn("drain", now.Warning);
        long before = Shed(now, "drain") - (now.Shedding?.Closed ?? 0);
        if (query.Length > 0)
        {
            string goesOn = $"drain: it goes on in the daemon; keep the rest of the connections with: l4balancer drain {backend}";
            await asking.Screen.FollowAsync($"closing connections of {backend}", goesOn, async () =>
            {
                AdminReply look = await client.SendAsync(HttpMethod.Get, path);
                now = look.TryRead(AdminJson.Default.BackendAnswer) ?? now with { Shedding = null };
                return now.Shedding is { Reason: "drain" } going ? (going.Closed, going.Planned) : null;
            });
        }

        asking.Screen.Output.WriteLine(ChangeCommands.Line(now));
        if (query.Length == 0)
        {
            return ExitCode.Fine;
        }

        asking.Screen.Output.WriteLine(Invariant($"{Shed(now, "drain") - before} connections were closed"));
        return now.State == Draining ? ExitCode.Fine
            : asking.Fail(ExitCode.Failed, $"drain: {backend} was set to {now.State} meanwhile: the remaining connections are kept");
    }

    private static (Command, string) Rebalance(AdminSession asking)
    {
        var pool = new Argument<string>("POOL") { Description = "The pool's name, as `status` lists it" };
        pool.CompletionSources.Add(context => BackendNames.Pools(asking, context));
        pool.Validators.Add(result =>
        {
            if (!ChangeCommands.IsName(result.Tokens[0].Value))
            {
                result.AddError($"{result.Tokens[0].Value}: write the name of a pool");
            }
        });
        Option<int?> rate = Rate("Connections to close per second; 0: all at once; default: the pool's close_rate");
        var tolerance = new Option<double?>("--tolerance")
        {
            Description = "How much a backend may exceed its fair share, 0 to 1; default: 0.01",
            HelpName = "RATIO",
            CustomParser = result => double.TryParse(
                result.Tokens[0].Value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double ratio) && ratio <= 1
                ? ratio : Wrong<double?>(result, $"--tolerance {result.Tokens[0].Value}: must be a ratio from 0 to 1, like 0.01"),
        };
        var stop = new Option<bool>("--stop") { Description = "Stops the rebalance that is running; connections that are not closed yet are kept" };
        var command = new Command(
            "rebalance", "Closes the surplus of a pool's overfull backends at a pace; new connections go to backends below their share.")
        {
            pool, rate, tolerance, stop,
        };
        command.Validators.Add(result =>
        {
            if (result.GetResult(stop) is not null && (result.GetResult(rate) is not null || result.GetResult(tolerance) is not null))
            {
                result.AddError("--stop stands alone: leave out --rate and --tolerance");
            }
        });
        command.SetAction((parsed, _) => asking.RunAsync(parsed, client =>
        {
            if (parsed.GetValue(stop))
            {
                return StopRebalanceAsync(asking, client, parsed.GetRequiredValue(pool));
            }

            string[] query =
            [
                .. parsed.GetValue(rate) is int perSecond ? [Invariant($"rate={perSecond}")] : Array.Empty<string>(),
                .. parsed.GetValue(tolerance) is double ratio ? [Invariant($"tolerance={ratio:0.############}")] : Array.Empty<string>(),
            ];
            return RebalanceAsync(asking, client, parsed.GetRequiredValue(pool), query.Length == 0 ? "" : $"?{string.Join('&', query)}");
        }));
        return (command, "l4balancer rebalance chat --rate 200");
    }

    private static async Task<int> RebalanceAsync(AdminSession asking, AdminClient client, string pool, string query)
    {
        long before = (await LookAsync(client, pool)).Sum(b => Shed(b, "rebalance"));
        AdminReply reply = await asking.Screen.WaitAsync(
            client.SendAsync(HttpMethod.Post, $"/v1/pools/{pool}/rebalance{query}"), "asking the daemon");
        if (asking.Fault("rebalance", reply) is int code)
        {
            return code;
        }

        if (reply.TryRead(AdminJson.Default.RebalanceAnswer) is not RebalanceAnswer plan)
        {
            return asking.Foreign("rebalance");
        }

        asking.Screen.Output.WriteLine(Invariant(
            $"{pool}: {plan.Connections} connections, {plan.Surplus} in surplus, {plan.Deficit} missing on other backends"));
        if (plan.Surplus == 0)
        {
            return ExitCode.Fine;
        }

        BackendAnswer[] now = [];
        string goesOn = $"rebalance: it goes on in the daemon; stop it with: l4balancer rebalance {pool} --stop";
        await asking.Screen.FollowAsync($"rebalancing {pool}", goesOn, async () =>
        {
            now = await LookAsync(client, pool);
            SheddingAnswer[] going = [.. now.Select(b => b.Shedding).OfType<SheddingAnswer>().Where(s => s.Reason == "rebalance")];
            return going.Length == 0 ? null : (going.Sum(s => s.Closed), going.Sum(s => s.Planned));
        });
        asking.Screen.Output.WriteLine(Invariant($"{now.Sum(b => Shed(b, "rebalance")) - before} connections were closed"));
        return now.FirstOrDefault(b => b.State == Down) is BackendAnswer down
            ? asking.Fail(ExitCode.Failed, $"rebalance: backend {pool}/{down.Name} is down, which ends a rebalance: the remaining connections are kept")
            : ExitCode.Fine;
    }

    private static async Task<int> StopRebalanceAsync(AdminSession asking, AdminClient client, string pool)
    {
        AdminReply reply = await asking.Screen.WaitAsync(
            client.SendAsync(HttpMethod.Delete, $"/v1/pools/{pool}/rebalance"), "asking the daemon");
        if (asking.Fault("rebalance", reply) is int code)
        {
            return code;
        }

        if (reply.TryRead(AdminJson.Default.RebalanceEndAnswer) is not RebalanceEndAnswer end)
        {
            return asking.Foreign("rebalance");
        }

        asking.Screen.Output.WriteLine(end.WasRunning
            ? Invariant($"{pool}: the rebalance is stopped, {end.Closed} connections were closed")
            : $"{pool}: no rebalance is running");
        return ExitCode.Fine;
    }

    private static async Task<BackendAnswer[]> LookAsync(AdminClient client, string pool)
    {
        AdminReply look = await client.SendAsync(HttpMethod.Get, "/v1/backends");
        return [.. look.TryRead(AdminJson.Default.BackendsAnswer)?.Backends.Where(b => b.Pool == pool) ?? []];
    }

    private static long Shed(BackendAnswer backend, string reason) => backend.Shed.GetValueOrDefault(reason);

    /// <summary>Connections per second.</summary>
    public static Option<int?> Rate(string description) => new("--rate")
    {
        Description = description,
        HelpName = "N",
        CustomParser = result => int.TryParse(
            result.Tokens[0].Value, NumberStyles.None, CultureInfo.InvariantCulture, out int rate) && rate <= ShedQuery.HighestRate
            ? rate : Wrong<int?>(result, $"--rate {result.Tokens[0].Value}: must be a number from 0 to {ShedQuery.HighestRate}"),
    };

    private static T? Wrong<T>(ArgumentResult result, string error)
    {
        result.AddError(error);
        return default;
    }

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
