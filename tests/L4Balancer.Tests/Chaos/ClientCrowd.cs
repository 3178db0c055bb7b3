using System.Net;
using System.Net.Sockets;

namespace L4Balancer.Tests.Chaos;

/// <summary>The clients: so many at a time, each followed by the next.</summary>
internal sealed class ClientCrowd(ChaosScene scene)
{
    private const int LongestGap = 60;

    /// <returns>When all have ended, which is after the stop.</returns>
    public Task RunAsync(CancellationToken stop) =>
        Task.WhenAll(Enumerable.Range(0, scene.Options.Clients).Select(place => ComeAndGoAsync(scene.RandomFor($"client {place}"), stop)));

    private async Task ComeAndGoAsync(Random random, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            ConnectionPlan plan = scene.Ledger.Begin();
            try
            {
                await PlayAsync(plan);
            }
            catch (Exception e)
            {
                scene.Violations.Add($"the driver itself failed (connection {plan.Number}, {plan.Kind}): {e}");
            }

            scene.Ledger.ClientEnds(plan);
            await Task.Delay(random.Next(1, LongestGap), stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task PlayAsync(ConnectionPlan plan)
    {
        using var deadline = new CancellationTokenSource(Ledger.MostOfOne);
        Socket socket = Site.NewSocket();
        socket.NoDelay = true;
        if (plan.Client.ReceiveBuffer > 0)
        {
            socket.ReceiveBufferSize = plan.Client.ReceiveBuffer;
        }

        try
        {
            socket.Bind(new IPEndPoint(Site.ClientOf(plan.Number), 0));
            await socket.ConnectAsync(Site.ListenerAt(plan.Listener), deadline.Token);
        }
        catch (SocketException)
        {
            // The listener is not there, or has reset the connection before this call came back.
            socket.Dispose();
            scene.Ledger.ClientBegins(plan, null);
            return;
        }
        catch (OperationCanceledException)
        {
            socket.Dispose();
            scene.Violations.Add(
                $"connection {plan.Number} ({plan.Kind}): no answer to its connect within {Ledger.MostOfOne.TotalSeconds} s");
            return;
        }

        int seed = scene.Ledger.Seed;
        var client = new StreamEnd(
            socket, plan.Client, ByteStream.FromClient(seed, plan.Number), ByteStream.FromBackend(seed, plan.Number),
            new Random((int)plan.Number));
        scene.Ledger.ClientBegins(plan, client);
        await client.RunAsync(deadline.Token);
    }
}
