using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace L4Balancer.Tests.Chaos;

/// <summary>
/// What is done to the daemon and its backends while clients come and go: each is a loop of its own with its own random numbers.
/// </summary>
internal sealed class Disturbances(ChaosScene scene, AdminAsk ask)
{
    private const int MostNoise = 12;

    public Task RunAsync(CancellationToken stop) => Task.WhenAll(
        LoopAsync("backends", 400, 2500, DisturbBackendAsync, stop),
        LoopAsync("api", 30, 250, AskAsync, stop),
        LoopAsync("descriptors", 4000, 12_000, SqueezeAsync, stop),
        LoopAsync("freeze", 1500, 6000, FreezeDaemonAsync, stop),
        LoopAsync("noise", 100, 800, NoiseAsync, stop));

    /// <summary>Everything that is held, stopped or frozen goes on.</summary>
    public void Undo()
    {
        foreach (ChaosBackend backend in scene.Backends)
        {
            backend.Thaw();
            TryStart(backend);
        }
    }

    /// <summary>Calls the action again and again with pauses in between, until it is stopped; the last call is awaited.</summary>
    public async Task LoopAsync(string who, int shortest, int longest, Func<Random, CancellationToken, Task> action, CancellationToken stop)
    {
        Random random = scene.RandomFor(who);
        try
        {
            while (true)
            {
                await Task.Delay(random.Next(shortest, longest), stop);
                await action(random, stop);
            }
        }
        catch (OperationCanceledException)
        {
            // The end of the chaos.
        }
        catch (Exception e)
        {
            scene.Violations.Add($"the driver itself failed ({who}): {e}");
        }
    }

    private async Task DisturbBackendAsync(Random random, CancellationToken stop)
    {
        ChaosBackend backend = scene.Backends[random.Next(scene.Backends.Count)];
        switch (random.Next(4))
        {
            case 0:
                scene.Count("backends killed");
                backend.Kill();
                break;
            case 1:
                scene.Count("backends frozen");
                backend.Freeze();
                break;
            case 2:
                scene.Count("backends that reset all");
                backend.ResetAll();
                return;
            default:
                // Killed while it stands still.
                scene.Count("backends frozen and killed");
                backend.Freeze();
                await Task.Delay(random.Next(50, 400), stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                backend.Kill();
                break;
        }

        await Task.Delay(random.Next(100, 1800), stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        backend.Thaw();
        TryStart(backend);
    }

    private void TryStart(ChaosBackend backend)
    {
        if (!backend.IsUp)
        {
            try
            {
                backend.Start();
            }
            catch (SocketException e)
            {
                scene.Violations.Add($"the driver could not start {backend.Endpoint} again: {e.SocketErrorCode}");
            }
        }
    }

    private async Task SqueezeAsync(Random random, CancellationToken stop)
    {
        // Seen once (epoll, 1 worker, seed 42): the portable runtime without a descriptor ended the process with "Out of memory.".
        if (DaemonProcess.Executable is null)
        {
            return;
        }

        scene.Count("squeezes of descriptors");
        await scene.SqueezeAsync(random.Next(-30, 6), TimeSpan.FromMilliseconds(random.Next(200, 1500)));
    }

    private async Task FreezeDaemonAsync(Random random, CancellationToken stop)
    {
        scene.Count("freezes of the daemon");
        scene.Daemon.Signal(DaemonProcess.SIGSTOP);
        try
        {
            await Task.Delay(random.Next(5, 300), CancellationToken.None);
        }
        finally
        {
            scene.Daemon.Signal(DaemonProcess.SIGCONT);
        }
    }

    private async Task AskAsync(Random random, CancellationToken stop)
    {
        scene.Count("API requests");
        string backend = $"chat/ws{random.Next(ConfigWriter.Backends)}";
        switch (random.Next(20))
        {
            case 0:
                await ChangeAsync("POST", $"/v1/backends/{backend}/drain{Of(random, "", "?rate=20", "?within=1s")}", null, stop, 200, 404);
                break;
            case 1 or 2 or 3:
                await ChangeAsync("POST", $"/v1/backends/{backend}/ready", null, stop, 200, 404);
                break;
            case 4:
                await ChangeAsync("POST", $"/v1/backends/{backend}/maint", null, stop, 200, 404);
                break;
            case 5:
                await ChangeAsync("PUT", $"/v1/backends/{backend}/weight", $"{{\"weight\":{random.Next(0, 400)}}}", stop, 200, 404);
                break;
            case 6:
                await ChangeAsync("POST", $"/v1/pools/chat/rebalance{Of(random, "", "?rate=50", "?tolerance=0.2")}", null, stop, 200);
                break;
            case 7:
                await ChangeAsync("DELETE", $"/v1/connections?backend={backend}&rate={random.Next(0, 100)}", null, stop, 202, 404);
                break;
            case 8:
                string part = $"127.{random.Next(128, 130)}.{random.Next(256)}.0/24";
                await ChangeAsync("DELETE", $"/v1/connections?source={part}&listener=main", null, stop, 202, 404);
                break;
            case 9 or 10:
                await CloseOneAsync(random, stop);
                break;
            case 11 or 12:
                string client = $"203.0.113.{random.Next(256)}:{random.Next(1, 65536)}";
                await ask.AskAsync("GET", $"/v1/locate?listener={Site.Main}&source={client}", null, stop, 200);
                break;
            case 13:
                await ask.AskAsync("GET", "/readyz?pool=chat", null, stop, 200, 503);
                break;
            default:
                await ask.AskAsync(
                    "GET",
                    Of(
                        random, "/v1/status", "/v1/backends", "/v1/connections?limit=100&sort=idle", "/v1/config", "/v1/events", "/v1/ages",
                        "/healthz"),
                    null, stop, 200);
                break;
        }
    }

    private async Task ChangeAsync(string method, string path, string? body, CancellationToken stop, params int[] allowed)
    {
        await scene.Changes.WaitAsync(stop);
        try
        {
            await ask.AskAsync(method, path, body, stop, allowed);
        }
        finally
        {
            scene.Changes.Release();
        }
    }

    private async Task CloseOneAsync(Random random, CancellationToken stop)
    {
        (int status, string text) = await ask.AskAsync("GET", "/v1/connections?limit=200", null, stop, 200);
        if (status != 200)
        {
            return;
        }

        using var document = JsonDocument.Parse(text);
        JsonElement all = document.RootElement.GetProperty("connections");
        if (all.GetArrayLength() > 0)
        {
            ulong id = all[random.Next(all.GetArrayLength())].GetProperty("id").GetUInt64();
            await ask.AskAsync("DELETE", $"/v1/connections/{id}", null, stop, 202, 404);
        }
    }

    // Connections to the ports of the control plane that send garbage, half a request or nothing.
    private int _noise;

    private Task NoiseAsync(Random random, CancellationToken stop)
    {
        if (Volatile.Read(ref _noise) < MostNoise)
        {
            scene.Count("connections of noise");
            Interlocked.Increment(ref _noise);
            _ = NoiseAsync(random.Next(3), random.Next(2) == 0, random.Next(50, 4000), random.Next(), stop);
        }

        return Task.CompletedTask;
    }

    private async Task NoiseAsync(int kind, bool toMetrics, int time, int seed, CancellationToken stop)
    {
        try
        {
            using Socket socket = Site.NewSocket();
            await socket.ConnectAsync(toMetrics ? Site.Metrics : Site.Admin, stop);
            byte[] bytes = new byte[2000];
            new Random(seed).NextBytes(bytes);
            if (kind > 0)
            {
                byte[] half = Encoding.ASCII.GetBytes("GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Half: ");
                await socket.SendAsync(kind == 1 ? bytes : half, stop);
            }

            await Task.Delay(time, stop);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            // It is refused, or cut.
        }
        finally
        {
            Interlocked.Decrement(ref _noise);
        }
    }

    private static string Of(Random random, params ReadOnlySpan<string> choices) => choices[random.Next(choices.Length)];
}
