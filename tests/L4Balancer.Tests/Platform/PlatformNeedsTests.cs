using System.Net;
using L4Balancer.Core.Config;
using L4Balancer.Platform;

namespace L4Balancer.Tests.Platform;

/// <summary>What only the machine can say of a configuration, it says at start.</summary>
[Platform("Linux")]
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class PlatformNeedsTests
{
    [Test]
    public void Each_congestion_control_that_the_kernel_lacks_is_one_line_with_the_mend()
    {
        string[] missing = [.. PlatformNeeds.Missing(Config(listener: "no_such_one", pool: "nor_this"))];

        Assert.That(missing, Has.Length.EqualTo(2));
        using (Assert.EnterMultipleScope())
        {
            Assert.That(missing[0], Does.StartWith("congestion_control = \"no_such_one\" (listener front): not available in this kernel: ")
                .And.Contain("modprobe tcp_no_such_one").And.Contain("reno"));
            Assert.That(missing[1], Does.StartWith("congestion_control = \"nor_this\" (pool chat): "));
        }
    }

    [Test]
    public void Those_it_has_and_the_system_s_own_are_no_fault() =>
        Assert.That(PlatformNeeds.Missing(Config(listener: "reno", pool: "")), Is.Empty);

    [Test]
    public async Task The_daemon_does_not_start_without_what_it_needs()
    {
        await using DaemonProcess daemon = DaemonProcess.Run(Text(engine: "auto", congestionControl: "no_such_one"));

        Assert.That(await daemon.ExitAsync(), Is.EqualTo(1));
        Assert.That(daemon.Errors, Has.Count.EqualTo(1));
        Assert.That(daemon.Errors[0], Does.StartWith("l4balancer: congestion_control = \"no_such_one\" (pool chat): "));
    }

    [TestCase("auto", "epoll")]
    [TestCase("epoll", "epoll")]
    [TestCase("managed", "managed")]
    public async Task The_engine_that_serves_is_named_in_the_metrics(string configured, string serving)
    {
        await using DaemonProcess daemon = DaemonProcess.Run(Text(configured, congestionControl: "reno"));

        // The metrics are served before the engine exists.
        await daemon.ReadyAsync();
        using var http = new HttpClient();

        Assert.That(await http.GetStringAsync(await daemon.MetricsAsync()), Does.Contain($"engine=\"{serving}\","));
    }

    private static BalancerConfig Config(string listener, string pool) => new()
    {
        Listeners = [new ListenerSettings { Name = "front", Bind = [], Pool = "chat", CongestionControl = listener }],
        Pools = [new PoolSettings { Name = "chat", CongestionControl = pool }],
    };

    private static string Text(string engine, string congestionControl) => $"""
        [balancer]
        engine = "{engine}"
        [metrics]
        listen = "127.0.0.1:0"
        [[listeners]]
        name = "front"
        bind = ["127.0.0.1:0"]
        pool = "chat"
        [[pools]]
        name = "chat"
        congestion_control = "{congestionControl}"
          [[pools.backends]]
          name = "ws1"
          address = "{IPAddress.Loopback}:9"
        """;
}
