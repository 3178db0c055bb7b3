using System.CommandLine;
using System.Globalization;
using L4Balancer.Admin.Answers;
using L4Balancer.Hosting;

namespace L4Balancer.CommandLine;

/// <summary><c>endpoint</c>: shows which URL a client would be handed now.</summary>
internal static class EndpointCommand
{
    public static (Command, string) Create(AdminSession asking)
    {
        var pool = new Option<string>("--pool") { Description = "The pool's name", HelpName = "POOL", Required = true };
        var key = new Option<string?>("--key")
        {
            Description = "The value of the pool's only named part of hash_key, else the whole key; default: any backend, by load",
            HelpName = "K",
        };
        var exclude = new Option<string[]>("--exclude")
        {
            Description = "A backend that is not to be chosen; may be repeated",
            HelpName = "BACKEND",
        };
        pool.CompletionSources.Add(context => BackendNames.Pools(asking, context));
        exclude.CompletionSources.Add(context => BackendNames.Of(asking, context));
        Option<bool> json = AdminSession.Json();
        var command = new Command("endpoint", "Shows which backend's URL a client would be handed now; counts nothing.") { pool, key, exclude, json };
        command.SetAction((parsed, _) =>
        {
            string path = $"/v1/endpoint?pool={Uri.EscapeDataString(parsed.GetRequiredValue(pool))}"
                + (parsed.GetValue(key) is { } given ? $"&key={Uri.EscapeDataString(given)}" : "")
                + string.Concat((parsed.GetValue(exclude) ?? []).Select(static e => $"&exclude={Uri.EscapeDataString(e)}"));
            return asking.ShowAsync(parsed, json, path, AdminJson.Default.EndpointAnswer, answer =>
            {
                asking.Screen.Output.WriteLine(Text(answer));
                return ExitCode.Fine;
            });
        });
        return (command, "l4balancer endpoint --pool chat --key room-7");
    }

    private static string Text(EndpointAnswer answer)
    {
        string text = string.Create(CultureInfo.InvariantCulture, $"""
            url         {answer.Url}
            backend     {answer.Pool}/{answer.Backend}
            ttl         {answer.Ttl}s
            """);
        foreach (AlternateAnswer alternate in answer.Alternates)
        {
            text += $"\nalternate   {alternate.Url} ({answer.Pool}/{alternate.Backend})";
        }

        return answer.Token is null ? text : $"{text}\ntoken       {answer.Token}";
    }
}
