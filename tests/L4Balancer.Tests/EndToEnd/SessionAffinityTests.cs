using System.Net;
using System.Text.Json;
using L4Balancer.Admin;

namespace L4Balancer.Tests.EndToEnd;

/// <summary>
/// Clients of the real libraries that begin with HTTP requests and go on by WebSocket or by long polling, before four backends that know only
/// their own sessions. They leave and come back, their connections are closed, and a fifth backend is added.
/// </summary>
[CancelAfter(100_000)]
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
[Category(DaemonProcess.OfLogic)]
internal sealed class SessionAffinityTests
{
    private const int Backends = 5;

    /// <summary>Clients of each listener; half of them move when the fifth backend is added, if the hash alone decides.</summary>
    private const int Clients = 6;

    private const string ByQuery = "http-query:client";
    private const string ByCookie = "http-cookie:client";
    private const string BySource = "source-ip";

    [Test]
    public async Task Socket_io_clients_stay_with_their_backend(CancellationToken cancel)
    {
        PeerProcess.RequireNode("socket.io", "socket.io-client");
        await using PeerProcess servers = PeerProcess.Start("socketio-backends.js", Names);
        await StayAsync("socket.io", await servers.PortsAsync(cancel), [ByQuery, ByCookie, BySource], cancel);
    }

    [Test]
    public async Task SignalR_clients_stay_with_their_backend(CancellationToken cancel)
    {
        PeerProcess.RequireNode("@microsoft/signalr", "ws");
        SignalRBackend[] servers = await Task.WhenAll(Names.Select(SignalRBackend.StartAsync));
        try
        {
            // The fetch of Node.js takes no address of its own: the source address is the matter of the other test.
            await StayAsync("signalr", [.. servers.Select(s => s.Port)], [ByQuery, ByCookie], cancel);
        }
        finally
        {
            await Task.WhenAll(servers.Select(s => s.DisposeAsync().AsTask()));
        }
    }

    [Test]
    public async Task The_sid_of_socket_io_is_not_a_key(CancellationToken cancel)
    {
        PeerProcess.RequireNode("socket.io");
        await using PeerProcess servers = PeerProcess.Start("socketio-backends.js", Names);
        await using KeyedScene scene = await KeyedScene.StartAsync(await servers.PortsAsync(cancel), "http-query:sid", ByQuery);
        Assert.That(await LostSessionsAsync(await scene.PortAsync(KeyedScene.NameOf(ByQuery, false)), cancel), Is.Zero);
        Assert.That(await LostSessionsAsync(await scene.PortAsync(KeyedScene.NameOf("http-query:sid", false)), cancel), Is.GreaterThan(0));
        Assert.That(await scene.KeysMissingAsync(KeyedScene.NameOf("http-query:sid", false)), Is.GreaterThan(0), "the first request has none");
    }

    private static string[] Names => [.. Enumerable.Range(0, Backends).Select(KeyedScene.NameOf)];

    private static async Task StayAsync(string library, int[] ports, string[] keys, CancellationToken cancel)
    {
        await using KeyedScene scene = await KeyedScene.StartAsync(ports, keys);
        PlannedClient[] clients = [.. await PlanAsync(scene, keys)];
        string[] before = await LocateAsync(scene, clients);
        string plan = JsonSerializer.Serialize(clients, JsonSerializerOptions.Web);
        await using PeerProcess talking = PeerProcess.Start("reconnecting-clients.js", library, plan);
        await talking.SaysAsync("held", cancel);
        await talking.GoOnAsync();
        await CloseUntilAsync(scene, talking.SaysAsync("returned", cancel), cancel);
        await scene.AddBackendAsync(cancel);
        string[] after = await LocateAsync(scene, clients);
        await talking.GoOnAsync();
        Dictionary<string, Seen> seen =
            JsonSerializer.Deserialize<Dictionary<string, Seen>>(await talking.OutputAsync(cancel), JsonSerializerOptions.Web)!;

        using (Assert.EnterMultipleScope())
        {
            foreach ((PlannedClient client, string old, string now) in clients.Zip(before, after))
            {
                Seen one = seen[client.Id];
                string said = $"{client.Id}: {string.Join(' ', one.Sessions)}; {string.Join(", ", one.Faults)}";
                Assert.That(one.Rounds, Is.EqualTo(new[] { old, old, old, now, now }), said);
                Assert.That(now == old, Is.EqualTo(client.IsSticky || !client.IsMoving), said);
                Assert.That(now == old ? one.Sessions : one.Sessions.Take(3), Is.All.EqualTo(old), said);
                Assert.That(one.Faults.Where(f => f.Contains("unknown", StringComparison.OrdinalIgnoreCase) && now == old), Is.Empty, said);
            }

            foreach (string listener in clients.Select(c => c.Listener).Distinct())
            {
                Assert.That(await scene.KeysMissingAsync(listener), Is.Zero, $"{listener}: every request has the key");
            }
        }
    }

    // A client of long polling has no connection for a moment after each answer, and is closed by the next time.
    private static async Task CloseUntilAsync(KeyedScene scene, Task returned, CancellationToken cancel)
    {
        using var steps = new PeriodicTimer(TimeSpan.FromSeconds(5));
        do
        {
            await scene.CloseAllAsync();
            await Task.WhenAny(returned, steps.WaitForNextTickAsync(cancel).AsTask());
        }
        while (!returned.IsCompleted);
        await returned;
    }

    // The ring depends on the ports of the backends, so the values are chosen by what locate predicts of them.
    private static async Task<List<PlannedClient>> PlanAsync(KeyedScene scene, string[] keys)
    {
        List<PlannedClient> clients = [];
        foreach (string key in keys)
        {
            List<(string Value, bool IsMoving)> values = [];
            for (int i = 1; values.Count < Clients; i++)
            {
                Assert.That(i, Is.LessThan(250), "no value that moves");
                string value = key == BySource ? $"127.0.1.{i}" : $"user-{i}";
                bool isMoving = scene.IsMoving(
                    KeyedScene.NameOf(key, isSticky: false), key == BySource ? value : "127.0.0.1",
                    new AskedClient(Cookie: key == ByCookie ? $"client={value}" : null, Query: key == ByQuery ? $"client={value}" : null));
                if (values.Count(v => v.IsMoving == isMoving) < Clients / 2)
                {
                    values.Add((value, isMoving));
                }
            }

            foreach (bool isSticky in (bool[])[false, true])
            {
                string listener = KeyedScene.NameOf(key, isSticky);
                int port = await scene.PortAsync(listener);
                clients.AddRange(values.Select((v, i) => PlannedClient.Of(key, listener, isSticky, v.Value, v.IsMoving, port, i)));
            }
        }

        return clients;
    }

    private static Task<string[]> LocateAsync(KeyedScene scene, PlannedClient[] clients) => Task.WhenAll(clients.Select(c => scene.LocateAsync(
        c.Listener, c.LocalAddress ?? "127.0.0.1",
        c.Query is not null ? $"&query=client={c.Query["client"]}" : c.Headers is not null ? $"&cookie={c.Headers["Cookie"]}" : "")));

    // A session is opened, and asked for by a connection of its own.
    private static async Task<int> LostSessionsAsync(int port, CancellationToken cancel)
    {
        int lost = 0;
        for (int i = 0; i < 10; i++)
        {
            string path = $"/socket.io/?client=user-{i}&EIO=4&transport=polling";
            string opened = await RequestAsync(port, path, cancel);
            JsonElement handshake = JsonDocument.Parse(opened[(opened.IndexOf("0{", StringComparison.Ordinal) + 1)..]).RootElement;
            string session = handshake.GetProperty("sid").GetString()!;
            string answer = await RequestAsync(port, $"{path}&sid={session}", cancel);
            lost += answer.Contains("Session ID unknown", StringComparison.Ordinal) ? 1 : 0;
        }

        return lost;
    }

    private static async Task<string> RequestAsync(int port, string path, CancellationToken cancel)
    {
        using var http = new HttpClient();
        http.DefaultRequestHeaders.ConnectionClose = true;
        using HttpResponseMessage response = await http.GetAsync(new Uri($"http://127.0.0.1:{port}{path}"), cancel);
        return await response.Content.ReadAsStringAsync(cancel);
    }

    /// <summary>What a client in the script is given.</summary>
    /// <param name="Polling">It stays with long polling.</param>
    /// <param name="IsMoving">The fifth backend is the owner of its key.</param>
    private sealed record PlannedClient(
        string Id, string Listener, bool IsSticky, bool IsMoving, string Url, IReadOnlyDictionary<string, string>? Headers,
        IReadOnlyDictionary<string, string>? Query, string? LocalAddress, bool Polling)
    {
        /// <summary>
        /// A connection that is open stays where it is. After a change a client without an entry would open a session by such a connection, and ask
        /// for it by a new one at another backend.
        /// </summary>
        public bool KeepAlive => IsSticky;

        // Each has an origin of its own, so that no two share connections, as two browsers would not.
        public static PlannedClient Of(string key, string listener, bool isSticky, string value, bool isMoving, int port, int number) => new(
            $"{listener} {value}", listener, isSticky, isMoving, $"http://{new IPAddress([127, 0, 0, (byte)(10 + number)])}:{port}",
            key == ByCookie ? new Dictionary<string, string> { ["Cookie"] = $"client={value}" } : null,
            key == ByQuery ? new Dictionary<string, string> { ["client"] = value } : null,
            key == BySource ? value : null, Polling: number % 2 == 1);
    }

    /// <summary>What became of it.</summary>
    /// <param name="Rounds">Its backend at the end of each round.</param>
    private sealed record Seen(IReadOnlyList<string> Sessions, IReadOnlyList<string> Rounds, IReadOnlyList<string> Faults);
}
