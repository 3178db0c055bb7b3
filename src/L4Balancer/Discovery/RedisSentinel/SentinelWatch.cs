using System.Globalization;

namespace L4Balancer.Discovery.RedisSentinel;

/// <summary>
/// A subscription to what a Sentinel publishes (Redis documentation, "Pub/Sub messages" of Sentinel), of which those events matter that name the master.
/// One caller at a time.
/// </summary>
/// <param name="timeout">Two thirds of it without a byte, and the Sentinel is taken for dead; after one third it is sent a ping.</param>
internal sealed class SentinelWatch(RespConnection connection, string service, TimeSpan timeout, TimeProvider clock)
{
    private long _heard;
    private bool _asked;

    /// <summary>Subscribes to every channel: which events there are differs from version to version.</summary>
    /// <exception cref="Exception">One of <see cref="StoreFault.IsExpected"/>.</exception>
    public async Task BeginAsync(CancellationToken cancel)
    {
        RespValue reply = await connection.AskAsync(RespValue.Command("PSUBSCRIBE", "*"), cancel);
        _heard = clock.GetTimestamp();
        if (reply is not { Kind: RespKind.Array, Items: [{ Text: "psubscribe" }, ..] })
        {
            throw new StoreFault($"no subscription: {(reply.Kind == RespKind.Error ? RespConnection.TextOf(reply) : "it does not answer as a Sentinel does")}");
        }
    }

    /// <summary>Waits until something has happened to the master or a replica of it, or the time has passed.</summary>
    /// <exception cref="Exception">One of <see cref="StoreFault.IsExpected"/>.</exception>
    public async Task WaitAsync(TimeSpan atMost, CancellationToken cancel)
    {
        long began = clock.GetTimestamp();
        while (true)
        {
            if (TakeEvents())
            {
                return;
            }

            TimeSpan silent = clock.GetElapsedTime(_heard);
            if (silent >= timeout * 2 / 3)
            {
                throw new StoreFault(string.Create(CultureInfo.InvariantCulture, $"no byte from it for {(timeout * 2 / 3).TotalSeconds:0.#} s"));
            }

            if (silent >= timeout / 3 && !_asked)
            {
                _asked = true;
                using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
                limit.CancelAfter(timeout / 3);
                await connection.SendAsync(RespValue.Command("PING"), limit.Token);
            }

            TimeSpan left = atMost - clock.GetElapsedTime(began);
            if (left <= TimeSpan.Zero)
            {
                return;
            }

            TimeSpan due = (_asked ? timeout * 2 / 3 : timeout / 3) - silent;
            if (await connection.WaitAsync(left < due ? left : due, clock, cancel))
            {
                _heard = clock.GetTimestamp();
                _asked = false;
            }
        }
    }

    /// <returns>Whether one of them is about the master.</returns>
    private bool TakeEvents()
    {
        bool concerns = false;
        while (connection.TryTake(out RespValue? value))
        {
            // pmessage, the pattern, the channel, the message: "mymaster 10.0.0.1 6379 …", "slave 10.0.0.2:6379 10.0.0.2 6379 @ mymaster …".
            concerns |= value is { Kind: RespKind.Array, Items: [{ Text: "pmessage" }, _, _, { } message] } && message.Text.Split(' ').Contains(service);
        }

        return concerns;
    }
}
