using System.CommandLine;
using System.Globalization;
using L4Balancer.Admin.Answers;
using L4Balancer.Hosting;

namespace L4Balancer.CommandLine;

/// <summary><c>fleet</c>: the balancers of the fleet, in what they differ, and what operators want on all of them. Fits 80 columns.</summary>
internal static class FleetCommand
{
    private const int LongestId = 16;
    private const int LongestVersion = 12;
    private const int LongestText = 30;

    public static (Command, string) Create(AdminSession asking)
    {
        Option<bool> json = AdminSession.Json();
        var command = new Command("fleet", "Shows the balancers of this fleet, and in what they differ.") { json };
        command.SetAction((parsed, _) => asking.ShowAsync(parsed, json, "/v1/fleet", AdminJson.Default.FleetAnswer, fleet =>
        {
            Write(asking.Screen, fleet);
            return ExitCode.Fine;
        }));
        return (command, "l4balancer fleet");
    }

    /// <summary>The fleet in one line, for <c>status</c>.</summary>
    public static string Line(FleetStatusAnswer fleet) => string.Create(
        CultureInfo.InvariantCulture,
        $"{fleet.Name}, {fleet.Members} balancers, this is {fleet.Id}; {Sentence(fleet.Connected, fleet.Fault, fleet.IdHeldBy, fleet.NotShared)}; {Agreement(fleet.Disagreement)}");

    private static void Write(Screen screen, FleetAnswer fleet)
    {
        screen.Output.WriteLine($"fleet {fleet.Name}, this is {fleet.Id}, health by {(fleet.Health == "vote" ? "vote" : "own probes")}");
        screen.Output.WriteLine(Sentence(fleet.Connected, fleet.Fault, fleet.IdHeldBy, fleet.NotShared));
        screen.Output.WriteLine(Agreement(fleet.Disagreement));
        screen.Output.WriteLine();

        var members = new TextTable("balancer", "state", "version", "started", "configuration", ">pools", ">up", ">not up");
        foreach (FleetMemberAnswer m in fleet.Members)
        {
            int up = m.Backends.Values.Count(static s => s == "up");
            members.Add(
                Short(m.Self ? m.Id + " *" : m.Id, LongestId), m.State, Short(m.Version, LongestVersion),
                m.Started.ToString("MM-dd HH:mm", CultureInfo.InvariantCulture), m.Configuration, Quantity.Count(m.Rings.Count), Quantity.Count(up),
                Quantity.Count(m.Backends.Count - up));
        }

        screen.Write(members);
        if (fleet.Differences.Count > 0)
        {
            screen.Output.WriteLine();
            screen.Write(Differences(fleet.Differences));
        }

        if (fleet.Intents.Count > 0)
        {
            screen.Output.WriteLine();
            screen.Write(Intents(fleet.Intents));
        }
    }

    private static TextTable Differences(IReadOnlyList<FleetDifferenceAnswer> differences)
    {
        var table = new TextTable("differs in", "of", "balancer", "says");
        foreach (FleetDifferenceAnswer d in differences)
        {
            bool isFirst = true;
            foreach ((string id, string value) in d.Values.OrderBy(static v => v.Key, StringComparer.Ordinal))
            {
                table.Add(isFirst ? d.Kind : "", isFirst ? Short(d.What, LongestText) : "", Short(id, LongestId), Short(value, LongestId));
                isFirst = false;
            }
        }

        return table;
    }

    private static TextTable Intents(IReadOnlyList<FleetIntentAnswer> intents)
    {
        var table = new TextTable("backend", "wanted", "until", "shared", "by");
        foreach (FleetIntentAnswer i in intents)
        {
            table.Add(
                Short($"{i.Pool}/{i.Backend}", LongestId + 4), i.Value, i.Until?.ToString("MM-dd HH:mm", CultureInfo.InvariantCulture) ?? "-",
                i.Shared ? "yes" : "not yet", Short(i.Who, LongestText - 2));
        }

        return table;
    }

    private static string Sentence(bool connected, string fault, string heldBy, int notShared)
    {
        string store = connected ? "etcd answers" : $"etcd is away: {fault}";
        string id = heldBy.Length == 0 ? "" : $"; another process has this id: {heldBy}";
        return notShared == 0 ? store + id : string.Create(CultureInfo.InvariantCulture, $"{store}{id}; {notShared} not shared yet");
    }

    private static string Agreement(DisagreementAnswer kinds)
    {
        string[] differing =
        [
            .. new[] { ("version", kinds.Version), ("configuration", kinds.Configuration), ("ring", kinds.Ring), ("health", kinds.Health) }
                .Where(static k => k.Item2 > 0).Select(static k => k.Item1),
        ];
        return differing.Length == 0 ? "all agree" : $"they differ in {string.Join(", ", differing)}";
    }

    private static string Short(string text, int longest) => text.Length <= longest ? text : text[..(longest - 1)] + "~";
}
