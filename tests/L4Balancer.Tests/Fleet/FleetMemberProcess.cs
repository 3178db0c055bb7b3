using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using L4Balancer.Tests.Admin;
using L4Balancer.Tests.NameServer;

namespace L4Balancer.Tests.Fleet;

/// <summary>One balancer of a fleet: a daemon with its own configuration, socket and state file, which can be started again.</summary>
/// <param name="wrapper">What its command begins with.</param>
internal sealed class FleetMemberProcess(string id, string folder, Func<string, string> config, string[]? wrapper = null) : IAsyncDisposable
{
    private HttpClient? _http;

    public string Id => id;

    public DaemonProcess Daemon { get; private set; } = null!;

    public string ConfigPath => Path.Combine(folder, $"{id}.toml");

    public string SocketPath => Path.Combine(folder, $"{id}.sock");

    public string StatePath => Path.Combine(folder, $"{id}.json");

    public async Task StartAsync()
    {
        await File.WriteAllTextAsync(ConfigPath, config(id));
        Daemon = DaemonProcess.Start(new Dictionary<string, string>(), wrapper ?? [], "run", "--config", ConfigPath);
        await Daemon.LineWithAsync("admin API on ");
        await Daemon.ReadyAsync();
        _http?.Dispose();
        _http = AdminScene.OverSocket(SocketPath);
    }

    public async Task<JsonElement> GetAsync(string path) => JsonDocument.Parse(await _http!.GetStringAsync(path)).RootElement;

    /// <returns>The answer to a change, which is a success.</returns>
    public async Task<JsonElement> SendAsync(string method, string path, string? body = null)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        if (body is not null)
        {
            request.Content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        }

        using HttpResponseMessage answer = await _http!.SendAsync(request);
        string text = await answer.Content.ReadAsStringAsync();
        Assert.That(answer.IsSuccessStatusCode, Is.True, text);
        return JsonDocument.Parse(text).RootElement;
    }

    public Task<JsonElement> FleetAsync() => GetAsync("/v1/fleet");

    public async Task<string> StateOfAsync(string backend) => (await GetAsync($"/v1/backends/{backend}")).GetProperty("state").GetString()!;

    public async Task<int> WeightOfAsync(string backend) => (await GetAsync($"/v1/backends/{backend}")).GetProperty("weight").GetInt32();

    public async Task<string[]> MembersAsync() =>
        [.. (await FleetAsync()).GetProperty("members").EnumerateArray().Select(m => m.GetProperty("id").GetString()!)];

    public async Task<bool> IsConnectedAsync() => (await FleetAsync()).GetProperty("connected").GetBoolean();

    /// <summary>What its zone itself has.</summary>
    public async Task<string[]> ZoneAsync()
    {
        string line = await Daemon.LineWithAsync($"answering DNS for {FleetScene.Zone} on ");
        int at = line.IndexOf(" on ", StringComparison.Ordinal) + 4;
        using var client = new UdpClient();
        client.Connect(IPEndPoint.Parse(line[at..line.IndexOf(" (", at, StringComparison.Ordinal)]));
        await client.SendAsync(ZoneScene.Question(FleetScene.Zone));
        using var deadline = new CancellationTokenSource(DaemonProcess.Deadline);
        return [.. ZoneScene.Addresses((await client.ReceiveAsync(deadline.Token)).Buffer).Order(StringComparer.Ordinal)];
    }

    public async ValueTask DisposeAsync()
    {
        _http?.Dispose();
        if (Daemon is not null)
        {
            await Daemon.DisposeAsync();
        }
    }
}
