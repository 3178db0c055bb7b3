using System.Text.Json;

namespace L4Balancer.Admin;

/// <summary>
/// The last hour, one sample every five seconds, for the charts of a page that has just been opened. The memory is fixed: 720 samples of 40 bytes. A
/// sample reads counters, so nothing of this is on the path of a connection. It begins anew with each process.
/// </summary>
/// <param name="totals">Reads the totals; called by <see cref="Sample"/>.</param>
internal sealed class TrafficHistory(Func<TrafficTotals> totals, TimeProvider clock)
{
    public const int Capacity = 720;

    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    private readonly Sampled[] _samples = new Sampled[Capacity];
    private TrafficTotals _before = totals();
    private long _beforeAt = clock.GetTimestamp();
    private long _count;

    /// <summary>Adds a sample, in place of the oldest if there are 720. Rates are those since the sample before. One thread at a time.</summary>
    public void Sample()
    {
        TrafficTotals now = totals();
        long at = clock.GetTimestamp();
        double seconds = Math.Max(0.001, clock.GetElapsedTime(_beforeAt, at).TotalSeconds);
        float Rate(long later, long earlier) => (float)(Math.Max(0, later - earlier) / seconds);
        var sample = new Sampled(
            clock.GetUtcNow().ToUnixTimeMilliseconds(), now.Active, now.Pending, now.Up, now.Backends,
            Rate(now.Accepted, _before.Accepted), Rate(now.Refused, _before.Refused),
            Rate(now.BytesToBackend, _before.BytesToBackend), Rate(now.BytesToClient, _before.BytesToClient));
        (_before, _beforeAt) = (now, at);
        lock (_samples)
        {
            _samples[_count++ % Capacity] = sample;
        }
    }

    /// <summary>Writes the samples with a higher number than this one as the answer of <c>GET /v1/history</c>, oldest first. Any thread.</summary>
    /// <param name="after">0: all that are kept. A number that was not reached yet is taken for one of an earlier process: all are written.</param>
    public void Write(Utf8JsonWriter json, long after)
    {
        lock (_samples)
        {
            long from = Math.Max(after > _count ? 0 : after, _count - Capacity);
            json.WriteStartObject();
            json.WriteNumber("interval_seconds"u8, Interval.TotalSeconds);
            json.WriteNumber("last"u8, _count);
            Write(json, "at"u8, from, static s => s.At);
            Write(json, "active"u8, from, static s => s.Active);
            Write(json, "pending"u8, from, static s => s.Pending);
            Write(json, "up"u8, from, static s => s.Up);
            Write(json, "backends"u8, from, static s => s.Backends);
            Write(json, "accepted_per_second"u8, from, static s => Math.Round(s.Accepted, 2));
            Write(json, "refused_per_second"u8, from, static s => Math.Round(s.Refused, 2));
            Write(json, "bytes_to_backend_per_second"u8, from, static s => Math.Round(s.BytesToBackend));
            Write(json, "bytes_to_client_per_second"u8, from, static s => Math.Round(s.BytesToClient));
            json.WriteEndObject();
        }
    }

    private void Write(Utf8JsonWriter json, ReadOnlySpan<byte> name, long from, Func<Sampled, double> value)
    {
        json.WriteStartArray(name);
        for (long n = from; n < _count; n++)
        {
            json.WriteNumberValue(value(_samples[n % Capacity]));
        }

        json.WriteEndArray();
    }

    /// <param name="At">Milliseconds since 1970, UTC.</param>
    private readonly record struct Sampled(
        long At, int Active, int Pending, int Up, int Backends, float Accepted, float Refused, float BytesToBackend, float BytesToClient);
}
