using L4Balancer.Admin.Answers;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using Microsoft.AspNetCore.Http;
using Endpoint = L4Balancer.Core.Addressing.Endpoint;

namespace L4Balancer.Admin;

/// <summary>GET /v1/locate.</summary>
internal static class LocateReply
{
    private static readonly string[] Parameters = ["listener", "source", "destination", .. AskedClient.Parameters];

    public static Task WriteAsync(HttpContext http, RoutingSnapshot snapshot, Instant now) => Query.OnlyAsync(http, Parameters, () =>
        TryLocate(http, snapshot, now, out string mistake) is Location location
            ? Reply.JsonAsync(http, location.Answer, AdminJson.Default.LocateAnswer)
            : Reply.ProblemAsync(http, StatusCodes.Status400BadRequest, mistake));

    private static Location? TryLocate(HttpContext http, RoutingSnapshot snapshot, Instant now, out string mistake)
    {
        string? name = Query.Value(http, "listener");
        string? from = Query.Value(http, "source");
        string? to = Query.Value(http, "destination");
        if (name is null || from is null)
        {
            mistake = "listener and source are required";
            return null;
        }

        if (snapshot.Listeners.FirstOrDefault(l => l.Name == name) is not Listener listener)
        {
            mistake = $"listener={Query.Shown(name)}: no such listener; there are: {string.Join(", ", snapshot.Listeners.Select(l => l.Name))}";
            return null;
        }

        Endpoint given = default;
        if (!(Endpoint.TryParse(from, out Endpoint source) || Endpoint.TryParseUnixClient(from, out source))
            || (to is not null && !TryDestination(to, listener, out given)))
        {
            mistake = "source and destination are an address and port, as in 203.0.113.7:51234 or [2001:db8::7]:51234; or unix:NUMBER as the "
                + "access log shows it, and a path of the listener's `bind`, as in unix:/run/chat.sock";
            return null;
        }

        AskedClient asked = AskedClient.Of(parameter => Query.Value(http, parameter));
        return Location.Of(listener, source, to is null ? null : given, asked, isLive: true, now, out mistake);
    }

    // Only a path that the configuration has: any other would be kept for ever.
    private static bool TryDestination(string text, Listener listener, out Endpoint destination)
    {
        destination = listener.Settings.Bind.FirstOrDefault(b => b.IsUnix && b.ToString() == text);
        return destination.IsUnix || Endpoint.TryParse(text, out destination);
    }
}
