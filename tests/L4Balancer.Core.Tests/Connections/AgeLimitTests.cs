using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Tests.Connections;

/// <summary><c>max_age</c>: when a connection is too old.</summary>
internal sealed class AgeLimitTests
{
    [Test]
    public void Ages_are_jittered_by_a_tenth_and_none_gets_older_than_it_may()
    {
        SetupScene scene = Scene(TimeSpan.FromHours(1));
        TimeSpan[] ages = [.. Enumerable.Range(2000, 1000).Select(port => DueAfter(Established(scene, (ushort)port)))];

        Assert.That(ages, Is.All.InRange(TimeSpan.FromMinutes(54), TimeSpan.FromMinutes(60)));
        Assert.That(ages.Average(a => a.TotalMinutes), Is.EqualTo(57).Within(0.2));
    }

    [Test]
    public void Without_a_limit_nothing_is_ever_due()
    {
        (SetupScene scene, ConnectionRecord record) = Established(TimeSpan.Zero);
        AgeLimit age = default;

        Assert.That(age.Due(record), Is.EqualTo(Instant.Never));
        Assert.That(age.TryReserve(record, scene.Now), Is.False);
    }

    [Test]
    public void Many_of_one_age_have_turns_at_the_close_rate()
    {
        SetupScene scene = Scene(TimeSpan.FromMinutes(1), closeRate: 100);
        ConnectionRecord[] records = [.. Enumerable.Range(0, 300).Select(i => Established(scene, (ushort)(2000 + i)))];
        var ages = new AgeLimit[records.Length];
        scene.Pass(TimeSpan.FromMinutes(1));
        List<TimeSpan> turns = [];
        for (int i = 0; i < records.Length; i++)
        {
            Assert.That(ages[i].TryReserve(records[i], scene.Now), Is.True);
            Assert.That(ages[i].TryReserve(records[i], scene.Now), Is.False, "once");
            turns.Add(ages[i].Due(records[i]) - scene.Now);
        }

        Assert.That(turns, Is.EqualTo(Enumerable.Range(0, 300).Select(i => TimeSpan.FromMilliseconds(10 * i))));
    }

    private static TimeSpan DueAfter(ConnectionRecord record)
    {
        AgeLimit age = default;
        return age.Due(record) - record.EstablishedAt;
    }

    private static (SetupScene, ConnectionRecord) Established(TimeSpan maxAge)
    {
        SetupScene scene = Scene(maxAge);
        return (scene, Established(scene, 1024));
    }

    private static ConnectionRecord Established(SetupScene scene, ushort port)
    {
        SetupAttempt attempt = scene.Accept(port);
        attempt.Connected();
        return attempt.Record;
    }

    private static SetupScene Scene(TimeSpan maxAge, int closeRate = 500) =>
        new(SetupScene.PoolOf(2) with { MaxAge = maxAge, CloseRate = closeRate }, maxConnections: 10_000);
}
