using System.Globalization;

namespace L4Balancer.Tests.Chaos;

/// <summary>
/// Half a minute of chaos for each engine. L4BALANCER_CHAOS_SEED gives another seed; <c>make chaos</c> runs as long as one likes.
/// </summary>
[CancelAfter(240_000)]
[Platform("Linux")]
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class ChaosTests
{
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(25);

    private static int Seed =>
        int.TryParse(Environment.GetEnvironmentVariable("L4BALANCER_CHAOS_SEED"), CultureInfo.InvariantCulture, out int seed) ? seed : 21;

    [Test]
    public async Task What_clients_backends_and_the_access_log_saw_agrees([Values("epoll", "managed")] string engine)
    {
        var options = new ChaosOptions(engine, Workers: 4, Duration, Seed, Clients: 24);
        ChaosResult result = await ChaosRun.RunAsync(options, TestContext.Progress.WriteLine);
        TestContext.Out.WriteLine(result.Report);
        Assert.That(result.Violations, Is.Zero, string.Join('\n', result.First) + "\n" + result.Report);
    }
}
