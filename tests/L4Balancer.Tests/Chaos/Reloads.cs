using L4Balancer.Tests.Truth;

namespace L4Balancer.Tests.Chaos;

/// <summary>Writes good and bad configurations and has them reloaded; a bad one must change nothing.</summary>
internal sealed class Reloads(ChaosScene scene, AdminAsk ask)
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    public async Task OneAsync(Random random, CancellationToken stop)
    {
        await scene.Changes.WaitAsync(stop);
        try
        {
            if (random.Next(3) == 0)
            {
                await BadAsync(scene.Configs.Bad(random), random.Next(2) == 0, stop);
            }
            else
            {
                await GoodAsync(scene.Configs.Random(random), random.Next(2) == 0, stop);
            }
        }
        finally
        {
            scene.Changes.Release();
        }
    }

    /// <summary>Back to the configuration of the start.</summary>
    public async Task PlainAsync(CancellationToken stop)
    {
        await GoodAsync(scene.Configs.Plain(), byRequest: true, stop);
        for (int i = 0; i < ConfigWriter.Backends; i++)
        {
            await ask.AskAsync("POST", $"/v1/backends/chat/ws{i}/ready", null, stop, 200);
        }
    }

    private async Task GoodAsync(string text, bool byRequest, CancellationToken stop)
    {
        scene.Count("good reloads");
        await File.WriteAllTextAsync(scene.Site.ConfigPath, text, stop);
        if (byRequest)
        {
            await ask.AskAsync("POST", "/v1/reload", null, stop, 200);
        }
        else
        {
            await HangUpAsync(stop);
        }
    }

    private async Task BadAsync(string text, bool byRequest, CancellationToken stop)
    {
        scene.Count("bad reloads");
        State? before = await StateAsync(stop);
        await File.WriteAllTextAsync(scene.Site.ConfigPath, text, stop);
        if (byRequest)
        {
            await ask.AskAsync("POST", "/v1/reload", null, stop, 422);
        }
        else
        {
            await HangUpAsync(stop);
        }

        State? after = await StateAsync(stop);
        if (before is not null && after is not null && before != after)
        {
            scene.Violations.Add(
                $"a bad file changed what is in force (generation {before.Generation} to {after.Generation}, "
                + $"{before.Succeeded} to {after.Succeeded} good reloads)\n"
                + $"before: {before.Config}\nafter: {after.Config}\nthe file:\n{text}");
        }
    }

    // A signal has no answer: the count of reloads shows that it has been served.
    private async Task HangUpAsync(CancellationToken stop)
    {
        if (await ReloadsAsync(stop) is not double before)
        {
            return;
        }

        scene.Daemon.Signal(DaemonProcess.SIGHUP);
        DateTime deadline = DateTime.UtcNow + Longest;
        while (await ReloadsAsync(stop) is double now && now == before)
        {
            if (DateTime.UtcNow > deadline)
            {
                scene.Violations.Add($"SIGHUP was not served within {Longest.TotalSeconds} s");
                return;
            }

            await Task.Delay(Pause, stop);
        }
    }

    private async Task<double?> ReloadsAsync(CancellationToken stop) =>
        await ask.ScrapeAsync(local: true, stop) is string text ? new Exposition(text).Sum("reloads_total") : null;

    private async Task<State?> StateAsync(CancellationToken stop)
    {
        (int status, string config) = await ask.AskAsync("GET", "/v1/config", null, stop, 200);
        if (status != 200 || await ask.ScrapeAsync(local: true, stop) is not string text)
        {
            return null;
        }

        var scrape = new Exposition(text);
        return new State(config, scrape.Sum("config_generation"), scrape.Sum("reloads_total", "result=success"));
    }

    private sealed record State(string Config, double Generation, double Succeeded);
}
