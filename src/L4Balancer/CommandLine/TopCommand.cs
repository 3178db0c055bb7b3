using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using L4Balancer.Admin.Answers;
using L4Balancer.Admin.Client;
using L4Balancer.Hosting;
using Spectre.Console;

namespace L4Balancer.CommandLine;

/// <summary><c>top</c>: shows the state with rates, updated every second; prints a single table if the output is not a terminal.</summary>
internal static class TopCommand
{
    private const string Name = "top";

    private static readonly TimeSpan Between = TimeSpan.FromSeconds(1);

    public static (Command, string) Create(AdminSession asking)
    {
        var command = new Command(Name, "Shows the state of the running daemon live; Ctrl-C ends it.");
        command.SetAction((parsed, _) => asking.RunAsync(parsed, client =>
            asking.Screen.IsTerminal ? LiveAsync(asking, client) : OnceAsync(asking, client)));
        return (command, "l4balancer top --admin 127.0.0.1:9180");
    }

    private static async Task<int> OnceAsync(AdminSession asking, AdminClient client)
    {
        (Sample? sample, int code) = await TakeAsync(asking, client, CancellationToken.None);
        if (sample is not null)
        {
            asking.Screen.Output.WriteLine(sample.Heading(before: null));
            asking.Screen.Write(sample.Table(before: null));
        }

        return code;
    }

    private static async Task<int> LiveAsync(AdminSession asking, AdminClient client)
    {
        using var end = new CancellationTokenSource();
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Ends);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Ends);
        using var seconds = new PeriodicTimer(Between);
        int code = ExitCode.Fine;
        await asking.Screen.Terminal.Live(new Text("")).AutoClear(false).StartAsync(async live =>
        {
            Sample? before = null;
            try
            {
                do
                {
                    (Sample? now, code) = await TakeAsync(asking, client, end.Token);
                    if (now is null)
                    {
                        return;
                    }

                    live.UpdateTarget(new Rows(new Text(now.Heading(before)), now.Table(before).ToRenderable()));
                    before = now;
                }
                while (await seconds.WaitForNextTickAsync(end.Token));
            }
            catch (OperationCanceledException)
            {
                // Ctrl-C: the last state remains on the screen.
            }
        });
        return code;

        void Ends(PosixSignalContext signal)
        {
            signal.Cancel = true;
            end.Cancel();
        }
    }

    private static async Task<(Sample? Sample, int Code)> TakeAsync(AdminSession asking, AdminClient client, CancellationToken cancel)
    {
        AdminReply status = await client.SendAsync(HttpMethod.Get, "/v1/status", cancel: cancel);
        AdminReply backends = await client.SendAsync(HttpMethod.Get, "/v1/backends", cancel: cancel);
        if ((asking.Fault(Name, status) ?? asking.Fault(Name, backends)) is int code)
        {
            return (null, code);
        }

        return status.TryRead(AdminJson.Default.StatusAnswer) is StatusAnswer first
            && backends.TryRead(AdminJson.Default.BackendsAnswer) is BackendsAnswer second
            ? (new Sample(first, [.. second.Backends]), ExitCode.Fine)
            : (null, asking.Foreign(Name));
    }

    /// <summary>The answers of the daemon at one moment.</summary>
    private sealed record Sample(StatusAnswer Status, BackendAnswer[] Backends)
    {
        public string Heading(Sample? before)
        {
            StatusAnswer s = Status;
            string now = string.Create(CultureInfo.InvariantCulture,
                $"{(s.Ready ? "ready" : "draining")}, up {Quantity.Seconds(s.UptimeSeconds)}, generation {s.Generation}, "
                + $"{s.Connections.Active} active, {s.Connections.Pending} pending, {s.Accepted} accepted, {s.Refused.Values.Sum()} refused");
            return before is null ? now : now + string.Create(CultureInfo.InvariantCulture,
                $"\nper second: {Rate(before, t => t.Status.Accepted):0} accepted, {Rate(before, t => t.Status.Closed.Values.Sum()):0} closed, "
                + $"{Quantity.Bytes(Rate(before, t => t.Status.BytesToBackend))} to backends, "
                + $"{Quantity.Bytes(Rate(before, t => t.Status.BytesToClient))} to clients");
        }

        /// <summary>The busiest backends first, limited to the number that fits at a glance.</summary>
        public TextTable Table(Sample? before)
        {
            var table = new TextTable(
                "backend", "state", ">weight", ">active", ">share", ">new/s", ">closed/s", ">in/s", ">out/s");
            Dictionary<(string, string, string), BackendAnswer> old = [];
            foreach (BackendAnswer b in before?.Backends ?? [])
            {
                old.TryAdd((b.Pool, b.Name, b.Address), b);
            }

            int most = before is null ? int.MaxValue : Math.Max(5, AnsiConsole.Profile.Height - 8);
            foreach (BackendAnswer b in Backends.OrderByDescending(b => b.Connections).Take(most))
            {
                BackendAnswer? then = old.GetValueOrDefault((b.Pool, b.Name, b.Address));
                table.Add(
                    $"{b.Pool}/{b.Name}", b.State, Quantity.Count(b.Weight), Quantity.Count(b.Connections), Quantity.Ratio(b.ShareRatio),
                    Whole(x => x.ConnectAttempts), Whole(x => x.Closed.Values.Sum()), Bytes(x => x.BytesToBackend), Bytes(x => x.BytesToClient));

                string Whole(Func<BackendAnswer, long> of) =>
                    then is null ? "-" : Math.Round((of(b) - of(then)) / Elapsed(before!)).ToString("0", CultureInfo.InvariantCulture);

                string Bytes(Func<BackendAnswer, long> of) => then is null ? "-" : Quantity.Bytes((of(b) - of(then)) / Elapsed(before!));
            }

            return table;
        }

        private double Rate(Sample before, Func<Sample, long> of) => (of(this) - of(before)) / Elapsed(before);

        private double Elapsed(Sample before) => Math.Max(0.001, Status.UptimeSeconds - before.Status.UptimeSeconds);
    }
}
