using L4Balancer.Admin.Access;
using L4Balancer.Admin.Answers;
using L4Balancer.Engine.Linux;
using L4Balancer.Upgrade;
using Microsoft.AspNetCore.Http;

namespace L4Balancer.Admin;

/// <summary>POST /v1/upgrade.</summary>
internal static class UpgradeRoute
{
    private const int Root = 0;

    public static Task WriteAsync(HttpContext http, AdminTarget target) => Query.OnlyAsync(http, [], async () =>
    {
        string? binary = null;
        if (http.Request.ContentLength is > 0 || http.Request.Headers.TransferEncoding.Count > 0)
        {
            UpgradeRequest? request = await RequestBody.ReadAsync(http, AdminJson.Default.UpgradeRequest);
            if (request is null || (request.Binary is string path && !Path.IsPathRooted(path)))
            {
                await Reply.ProblemAsync(
                    http, StatusCodes.Status400BadRequest, "the body must be {\"binary\": FILE} with the absolute path of an executable, or empty");
                return;
            }

            binary = request.Binary;
        }

        Requester requester = Requester.Of(http);
        if (binary is not null && !MayChoose(requester))
        {
            await Reply.ProblemAsync(
                http, StatusCodes.Status403Forbidden,
                "another binary is accepted only over the local socket, from root or the user that the daemon runs as: without it the file runs that the daemon was started from");
            return;
        }

        if (target.Upgrader is not { } upgrader)
        {
            await Reply.ProblemAsync(http, StatusCodes.Status409Conflict, "this process cannot be upgraded");
        }
        else if (upgrader.Begin(requester.Name, binary, out string refusal) is UpgradeProgress begun)
        {
            await Reply.JsonAsync(http, Of(begun, target.Clock), AdminJson.Default.UpgradeAnswer, StatusCodes.Status202Accepted);
        }
        else
        {
            await Reply.ProblemAsync(http, StatusCodes.Status409Conflict, refusal);
        }
    });

    public static UpgradeAnswer Of(UpgradeProgress now, TimeProvider clock) => new(
        now.Id, now.Step.ToString().ToLowerInvariant(), now.Who, now.Started.UtcDateTime,
        now.Ended is { } ended ? Math.Round((clock.GetUtcNow() - ended).TotalSeconds, 3) : null,
        now.OldProcess, now.NewProcess > 0 ? now.NewProcess : null, now.Moved, now.Left, now.Lost, Math.Round(now.Longest.TotalMilliseconds, 3), now.Fault);

    // Whoever may choose the file could start it anyway, with the same rights or more.
    private static bool MayChoose(Requester requester) =>
        requester.IsLocal && requester.User is uint user && (user == Root || (OperatingSystem.IsLinux() && user == CurrentUser.Id));
}
