namespace L4Balancer.Engine.Tests.Ports;

/// <summary>Who closes first keeps TIME_WAIT: 60,000 connections through 9,000 places, over a network that is none of loopback.</summary>
[Platform("Linux")]
[Parallelizable(ParallelScope.Self)]
internal sealed class TimeWaitTests
{
    [TestCase("epoll")]
    [TestCase("managed")]
    public Task Backends_that_close_first_leave_our_ports_free(string engine) =>
        VethNamespaces.RunAsync(engine, FirstCloser.Backend, twReuse: 0, connections: 60_000);

    [TestCase("epoll")]
    [TestCase("managed")]
    public Task Clients_that_close_first_are_served_from_ports_in_time_wait_where_the_kernel_reuses_them(string engine) =>
        VethNamespaces.RunAsync(engine, FirstCloser.Client, twReuse: 1, connections: 60_000);

    [TestCase("epoll")]
    [TestCase("managed")]
    public Task Clients_that_close_first_exhaust_the_ports_where_it_does_not_and_nobody_is_blamed(string engine) =>
        VethNamespaces.RunAsync(engine, FirstCloser.Client, twReuse: 2, connections: 9_500);
}
