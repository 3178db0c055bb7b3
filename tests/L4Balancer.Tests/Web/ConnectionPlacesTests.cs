using System.Net.Sockets;
using L4Balancer.Web;

namespace L4Balancer.Tests.Web;

/// <summary>Who keeps a connection to a web host where there are too many.</summary>
internal sealed class ConnectionPlacesTests
{
    private static readonly PlaceLimits Small = new("[admin] listen", Most: 8, PerSource: 4, Busy: 6, BusyUntrusted: 4, BusyPerSource: 3);

    [Test]
    public async Task A_source_with_too_many_connections_loses_its_oldest_idle_one()
    {
        await using PlacesHost host = await PlacesHost.StartAsync(Small);
        Socket other = await host.ConnectAsync(source: 2);
        Assert.That(await PlacesHost.GetAsync(other, "/"), Is.EqualTo(200));
        List<Socket> silent = [];
        for (int i = 0; i < 6; i++)
        {
            host.Clock.Advance(TimeSpan.FromMilliseconds(1));
            silent.Add(await host.ConnectAsync());
            await PlacesHost.EventuallyAsync(() => host.Places.Count == Math.Min(i + 2, 5));
        }

        Assert.That(await PlacesHost.StatusAsync(silent[0]), Is.Zero);
        Assert.That(await PlacesHost.StatusAsync(silent[1]), Is.Zero);
        Assert.That(await PlacesHost.GetAsync(silent[2], "/"), Is.EqualTo(200));
        Assert.That(await PlacesHost.GetAsync(silent[5], "/"), Is.EqualTo(200));
        Assert.That(await PlacesHost.GetAsync(other, "/"), Is.EqualTo(200));
    }

    [Test]
    public async Task Where_all_places_are_taken_the_one_that_has_been_idle_longest_makes_room_and_a_trusted_one_last()
    {
        await using PlacesHost host = await PlacesHost.StartAsync(Small);
        Socket trusted = await host.ConnectAsync(source: 100);
        Assert.That(await PlacesHost.GetAsync(trusted, "/trust"), Is.EqualTo(200));
        for (int i = 0; i < 30; i++)
        {
            host.Clock.Advance(TimeSpan.FromMilliseconds(1));
            await host.ConnectAsync(source: 10 + i);
        }

        Socket checker = await host.ConnectAsync(source: 101);
        Assert.That(await PlacesHost.GetAsync(checker, "/healthz"), Is.EqualTo(200));
        Assert.That(await PlacesHost.GetAsync(trusted, "/"), Is.EqualTo(200));
        await PlacesHost.EventuallyAsync(() => host.Places.Count == Small.Most);
    }

    [Test]
    public async Task Answers_that_do_not_end_leave_room_for_health_and_for_the_token()
    {
        await using PlacesHost host = await PlacesHost.StartAsync(Small);
        List<Socket> held = [];
        for (int i = 0; i < Small.BusyPerSource; i++)
        {
            held.Add(await host.ConnectAsync());
            await host.HoldAsync(held[i]);
        }

        Assert.That(await PlacesHost.GetAsync(await host.ConnectAsync(), "/"), Is.EqualTo(503), "one source");
        await host.HoldAsync(await host.ConnectAsync(source: 2));
        Assert.That(await PlacesHost.GetAsync(await host.ConnectAsync(source: 3), "/"), Is.EqualTo(503), "all of those without the token");
        Assert.That(await PlacesHost.GetAsync(await host.ConnectAsync(source: 3), "/healthz"), Is.EqualTo(200));
        Assert.That(await PlacesHost.GetAsync(await host.ConnectAsync(), "/healthz"), Is.EqualTo(200), "the same source");
        Assert.That(await PlacesHost.GetAsync(await host.ConnectAsync(source: 3), "/trust"), Is.EqualTo(200));

        host.AnswerHeld();
        Assert.That(await PlacesHost.StatusAsync(held[^1]), Is.EqualTo(200));
        Assert.That(await PlacesHost.GetAsync(held[^1], "/"), Is.EqualTo(200));
    }

    [Test]
    public async Task A_busy_connection_is_not_closed_to_make_room()
    {
        await using PlacesHost host = await PlacesHost.StartAsync(Small);
        Socket busy = await host.ConnectAsync();
        await host.HoldAsync(busy);
        for (int i = 0; i < 10; i++)
        {
            host.Clock.Advance(TimeSpan.FromMilliseconds(1));
            await host.ConnectAsync();
            await host.ConnectAsync(source: 20 + i);
        }

        host.AnswerHeld();
        Assert.That(await PlacesHost.StatusAsync(busy), Is.EqualTo(200));
    }

    [Test]
    public async Task The_first_byte_has_to_come_in_time()
    {
        await using PlacesHost host = await PlacesHost.StartAsync(Small);
        Socket silent = await host.ConnectAsync();
        Socket speaks = await host.ConnectAsync();
        Assert.That(await PlacesHost.GetAsync(speaks, "/"), Is.EqualTo(200));
        await PlacesHost.EventuallyAsync(() => host.Places.Count == 2);
        host.Clock.Advance(ConnectionPlaces.FirstByteWithin - TimeSpan.FromMilliseconds(1));
        Assert.That(silent.Poll(TimeSpan.FromMilliseconds(100), SelectMode.SelectRead), Is.False);
        host.Clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.That(await PlacesHost.StatusAsync(silent), Is.Zero);
        Assert.That(await PlacesHost.GetAsync(speaks, "/"), Is.EqualTo(200), "the time is over for the first request alone");
    }

    [Test]
    public async Task Many_that_are_closed_are_one_line_with_the_address_and_the_remedy()
    {
        await using PlacesHost host = await PlacesHost.StartAsync(Small);
        for (int i = 0; i < 20; i++)
        {
            await host.ConnectAsync();
        }

        await PlacesHost.EventuallyAsync(() => host.Log.Lines.Count > 0);
        Assert.That(await PlacesHost.GetAsync(await host.ConnectAsync(), "/"), Is.EqualTo(200));
        Assert.That(host.Log.Lines, Has.Count.EqualTo(1));
        Assert.That(host.Log.Lines.Single(), Does.StartWith("[admin] listen: ").And.Contain("127.0.0.1").And.Contain("(1 times").And.Contain("firewall"));
        host.Clock.Advance(PacedNotice.Every);
        for (int i = 0; i < 10; i++)
        {
            await host.ConnectAsync();
        }

        await PlacesHost.EventuallyAsync(() => host.Log.Lines.Count == 2);
        Assert.That(host.Log.Lines.Last(), Does.Match(@"\(1\d times"));
    }
}
