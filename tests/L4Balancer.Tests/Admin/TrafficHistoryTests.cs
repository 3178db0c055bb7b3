using System.Text.Json;
using L4Balancer.Admin;
using Microsoft.Extensions.Time.Testing;

namespace L4Balancer.Tests.Admin;

internal sealed class TrafficHistoryTests
{
    private static readonly DateTimeOffset Start = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    private FakeTimeProvider _clock = null!;
    private TrafficTotals _now;

    [SetUp]
    public void Begin() => (_clock, _now) = (new FakeTimeProvider(Start), default);

    [Test]
    public void Rates_are_those_since_the_sample_before_and_gauges_are_of_the_moment()
    {
        _now = new TrafficTotals(1, 0, 2, 3, Accepted: 100, Refused: 7, BytesToBackend: 1_000, BytesToClient: 2_000);
        var history = new TrafficHistory(() => _now, _clock);
        _clock.Advance(TrafficHistory.Interval);
        _now = new TrafficTotals(4, 2, 1, 3, Accepted: 110, Refused: 8, BytesToBackend: 1_500, BytesToClient: 7_000);
        history.Sample();

        // The process stood still: the rate is over the time that has passed.
        _clock.Advance(TimeSpan.FromSeconds(20));
        _now = _now with { Accepted = 150 };
        history.Sample();
        JsonElement seen = Read(history, 0);
        Assert.Multiple(() =>
        {
            Assert.That(Of(seen, "at"), Is.EqualTo(new[] { 5_000.0, 25_000 }.Select(ms => ms + Start.ToUnixTimeMilliseconds())));
            Assert.That(Of(seen, "active"), Is.EqualTo(new[] { 4.0, 4 }));
            Assert.That(Of(seen, "pending"), Is.EqualTo(new[] { 2.0, 2 }));
            Assert.That(Of(seen, "up"), Is.EqualTo(new[] { 1.0, 1 }));
            Assert.That(Of(seen, "backends"), Is.EqualTo(new[] { 3.0, 3 }));
            Assert.That(Of(seen, "accepted_per_second"), Is.EqualTo(new[] { 2.0, 2 }));
            Assert.That(Of(seen, "refused_per_second"), Is.EqualTo(new[] { 0.2, 0 }));
            Assert.That(Of(seen, "bytes_to_backend_per_second"), Is.EqualTo(new[] { 100.0, 0 }));
            Assert.That(Of(seen, "bytes_to_client_per_second"), Is.EqualTo(new[] { 1000.0, 0 }));
        });
    }

    [Test]
    public void Only_the_last_hour_is_kept_and_only_what_is_newer_is_written()
    {
        var history = new TrafficHistory(() => _now, _clock);
        for (int n = 1; n <= TrafficHistory.Capacity + 10; n++)
        {
            _clock.Advance(TrafficHistory.Interval);
            _now = _now with { Active = n };
            history.Sample();
        }

        double[] kept = Of(Read(history, 0), "active");
        Assert.Multiple(() =>
        {
            Assert.That((kept.Length, kept[0], kept[^1]), Is.EqualTo((720, 11.0, 730.0)));
            Assert.That(Read(history, 0).GetProperty("last").GetInt64(), Is.EqualTo(730));
            Assert.That(Of(Read(history, 728), "active"), Is.EqualTo(new[] { 729.0, 730 }));
            Assert.That(Of(Read(history, 730), "active"), Is.Empty);
            Assert.That(Of(Read(history, 5), "active"), Has.Length.EqualTo(720), "what was dropped is not there");
            Assert.That(Of(Read(history, 9_000), "active"), Has.Length.EqualTo(720), "a number of an earlier process");
        });
    }

    [Test]
    public void A_total_that_falls_is_no_negative_rate()
    {
        _now = new TrafficTotals(0, 0, 0, 0, 50, 0, 0, 0);
        var history = new TrafficHistory(() => _now, _clock);
        _clock.Advance(TrafficHistory.Interval);
        _now = default;
        history.Sample();
        Assert.That(Of(Read(history, 0), "accepted_per_second"), Is.EqualTo(new[] { 0.0 }));
    }

    [Test]
    public void A_sample_allocates_nothing()
    {
        var history = new TrafficHistory(() => default, _clock);
        history.Sample();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            history.Sample();
        }

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    private static JsonElement Read(TrafficHistory history, long after)
    {
        using var text = new MemoryStream();
        using (var json = new Utf8JsonWriter(text))
        {
            history.Write(json, after);
        }

        return JsonDocument.Parse(text.ToArray()).RootElement;
    }

    private static double[] Of(JsonElement seen, string name) => [.. seen.GetProperty(name).EnumerateArray().Select(v => v.GetDouble())];
}
