using System.Net.Http.Headers;
using L4Balancer.Tests.Admin;

namespace L4Balancer.Tests.Chaos;

/// <summary>
/// Asks the daemon's API over its local socket, and its metrics over TCP. No answer in time, or a wrong one, is a violation. Any thread.
/// </summary>
internal sealed class AdminAsk : IDisposable
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(20);

    private readonly ChaosScene _scene;
    private readonly HttpClient _local;
    private readonly HttpClient _metrics;

    public AdminAsk(ChaosScene scene)
    {
        _scene = scene;
        _local = AdminScene.OverSocket(scene.Site.SocketPath);
        _local.Timeout = Longest;
        _metrics = new HttpClient(new SocketsHttpHandler { UseProxy = false })
        {
            Timeout = Longest,
            BaseAddress = new Uri($"http://{Site.Metrics}/"),
        };
    }

    /// <param name="allowed">Statuses that are right.</param>
    /// <returns>The status and the text of the answer; (0, "") if there was none, for a shortage that the run has made.</returns>
    public Task<(int Status, string Text)> AskAsync(
        string method, string path, string? body, CancellationToken stop, params int[] allowed) =>
        AskFromAsync(_local, method, path, body, allowed, stop);

    /// <returns>A scrape; null if there was none, for a shortage that the run has made.</returns>
    /// <param name="local">By the API instead of the port of the metrics.</param>
    public async Task<string?> ScrapeAsync(bool local, CancellationToken stop)
    {
        (int status, string text) = await AskFromAsync(local ? _local : _metrics, "GET", "/metrics", null, [200], stop);
        return status == 200 ? text : null;
    }

    public void Dispose()
    {
        _local.Dispose();
        _metrics.Dispose();
    }

    private async Task<(int Status, string Text)> AskFromAsync(
        HttpClient http, string method, string path, string? body, int[] allowed, CancellationToken stop)
    {
        bool wasShort = _scene.MayLackDescriptors;
        try
        {
            using var request = new HttpRequestMessage(new HttpMethod(method), path);
            if (body is not null)
            {
                request.Content = new StringContent(body, new MediaTypeHeaderValue("application/json"));
            }

            using HttpResponseMessage response = await http.SendAsync(request, stop);
            string text = await response.Content.ReadAsStringAsync(stop);
            int status = (int)response.StatusCode;
            if (!allowed.Contains(status) && !Excused(wasShort))
            {
                _scene.Violations.Add($"{method} {path}: {status} {Shortened(text)}");
            }

            return (status, text);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or IOException)
        {
            if (!Excused(wasShort))
            {
                _scene.Violations.Add($"{method} {path}: no answer: {e.GetBaseException().Message}");
            }

            return (0, "");
        }
    }

    private bool Excused(bool wasShort)
    {
        bool excused = wasShort || _scene.MayLackDescriptors || _scene.Daemon.HasExited;
        if (excused)
        {
            _scene.Count("requests that failed for lack of descriptors");
        }

        return excused;
    }

    private static string Shortened(string text) => text.Length > 400 ? text[..400] + "…" : text;
}
