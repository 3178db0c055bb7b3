namespace L4Balancer.Engine.Tests.Ports;

/// <summary>What sixteen local ports carry: sixteen for each pair of a source and a backend. See the bodies for what is held.</summary>
[Platform("Linux")]
public sealed class SourcePortExhaustionTests
{
    [TestCase("epoll", 1, 1)]
    [TestCase("epoll", 3, 3)]
    [TestCase("managed", 1, 1)]
    [TestCase("managed", 3, 3)]
    public Task Every_pair_of_source_and_backend_carries_the_whole_port_range(string engine, int sources, int backends) =>
        PortRangeNamespace.RunAsync("source-ports", engine, $"{sources}", $"{backends}");

    // Three descriptors a connection, and 20,000 of them are what a process mostly may have.
    [TestCase("epoll")]
    [TestCase("managed")]
    public Task Connects_take_no_longer_when_ports_become_few(string engine) =>
        PortRangeNamespace.RunAsync(40_000, 45_999, "connect-cost", engine, "6000");

    [TestCase("epoll")]
    [TestCase("managed")]
    public Task Connections_leave_from_the_source_that_has_most_free_ports(string engine) =>
        PortRangeNamespace.RunAsync(40_000, 40_199, "source-choice", engine, "200");

    [Test]
    public Task A_probe_without_a_free_port_is_a_local_error() => PortRangeNamespace.RunAsync("probe-without-port");
}
