using System.CommandLine.Completions;
using L4Balancer.Admin.Answers;
using L4Balancer.Admin.Client;

namespace L4Balancer.CommandLine;

/// <summary>Completions from the daemon that the command would use: its backends, pools and listeners; none if it does not answer.</summary>
internal static class BackendNames
{
    /// <summary>Short, because completion is interactive.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    public static IEnumerable<CompletionItem> Of(AdminSession asking, CompletionContext context) =>
        context.ParseResult.UnmatchedTokens.Count > 0 ? [] : Ask(asking, context, "/v1/backends", static reply =>
            reply.TryRead(AdminJson.Default.BackendsAnswer)?.Backends.Select(static b =>
                new CompletionItem($"{b.Pool}/{b.Name}", detail: $"{b.State}, weight {b.Weight}, {b.Connections} connections")));

    public static IEnumerable<CompletionItem> Pools(AdminSession asking, CompletionContext context) =>
        Ask(asking, context, "/v1/status", static reply => reply.TryRead(AdminJson.Default.StatusAnswer)?.Pools.Select(static p =>
            new CompletionItem(p.Name, detail: $"{p.Balance}, {p.Up} of {p.Backends} up")));

    public static IEnumerable<CompletionItem> Listeners(AdminSession asking, CompletionContext context) =>
        Ask(asking, context, "/v1/status", static reply => reply.TryRead(AdminJson.Default.StatusAnswer)?.Listeners.Select(static l =>
            new CompletionItem(l.Name, detail: $"{string.Join(' ', l.Addresses)} to pool {l.Pool}")));

    private static IEnumerable<CompletionItem> Ask(
        AdminSession asking, CompletionContext context, string path, Func<AdminReply, IEnumerable<CompletionItem>?> offers)
    {
        // Help lists the completions of an argument in an empty context: it is static text.
        if (context is not TextCompletionContext || asking.AddressIn(context.ParseResult) is not AdminAddress address)
        {
            return [];
        }

        try
        {
            using var client = new AdminClient(address, token: null, Patience);
            using var patience = new CancellationTokenSource(Patience);
            AdminReply reply = Task.Run(() => client.SendAsync(HttpMethod.Get, path, cancel: patience.Token)).GetAwaiter().GetResult();
            return offers(reply) ?? [];
        }
        catch (Exception e) when (e is NoDaemonException or OperationCanceledException)
        {
            return [];
        }
    }
}
