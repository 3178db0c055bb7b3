using System.CommandLine.Completions;
using L4Balancer.Admin.Answers;
using L4Balancer.Admin.Client;

namespace L4Balancer.CommandLine;

/// <summary>Completions for BACKEND: the backends of the daemon that the command would use; none if the daemon does not answer.</summary>
internal static class BackendNames
{
    /// <summary>Short, because completion is interactive.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    public static IEnumerable<CompletionItem> Of(AdminSession asking, CompletionContext context)
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
            AdminReply reply = Task.Run(() => client.SendAsync(HttpMethod.Get, "/v1/backends", cancel: patience.Token)).GetAwaiter().GetResult();
            return reply.TryRead(AdminJson.Default.BackendsAnswer)?.Backends.Select(b => new CompletionItem($"{b.Pool}/{b.Name}")) ?? [];
        }
        catch (Exception e) when (e is NoDaemonException or OperationCanceledException)
        {
            return [];
        }
    }
}
