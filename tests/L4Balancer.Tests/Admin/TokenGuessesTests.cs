using System.Diagnostics;
using System.Net;
using L4Balancer.Admin.Access;
using L4Balancer.Core.Addressing;
using L4Balancer.Tests.Web;
using Microsoft.Extensions.Time.Testing;

namespace L4Balancer.Tests.Admin;

/// <summary>What a wrong token leaves behind.</summary>
[Category(DaemonProcess.Category)]
internal sealed class TokenGuessesTests
{
    private static readonly HostAddress Guesser = HostAddress.FromV4(0x0A00_0001);

    [Test]
    public async Task A_source_that_guessed_wrong_is_delayed_for_a_while_and_no_other()
    {
        var clock = new FakeTimeProvider();
        int count = 0;
        var guesses = new TokenGuesses(clock, () => count++, new LineLog());
        Assert.That(guesses.WaitAsync(Guesser, default).IsCompleted, Is.True);
        guesses.Failed(Guesser, "10.0.0.1:5");

        Task delayed = guesses.WaitAsync(Guesser, default);
        Assert.That(delayed.IsCompleted, Is.False);
        Assert.That(guesses.WaitAsync(HostAddress.FromV4(0x0A00_0002), default).IsCompleted, Is.True);
        Assert.That(guesses.WaitAsync(null, default).IsCompleted, Is.True);
        clock.Advance(TokenGuesses.Delay);
        await delayed.WaitAsync(DaemonProcess.Deadline);
        clock.Advance(TokenGuesses.Penalty);
        Assert.That(guesses.WaitAsync(Guesser, default).IsCompleted, Is.True);
        Assert.That(count, Is.EqualTo(1));
    }

    [Test]
    public void Guesses_from_everywhere_take_bounded_memory_and_one_line_a_minute()
    {
        var clock = new FakeTimeProvider();
        var log = new LineLog();
        int count = 0;
        var guesses = new TokenGuesses(clock, () => count++, log);
        for (uint i = 0; i < 5000; i++)
        {
            guesses.Failed(HostAddress.FromV4(i), "10.0.0.1:5");
        }

        Assert.That(count, Is.EqualTo(5000));
        Assert.That(log.Lines.Single(), Does.Contain("10.0.0.1:5").And.Contain("(1 times").And.Contain("firewall"));
        Assert.That(guesses.WaitAsync(HostAddress.FromV4(0), default).IsCompleted, Is.True, "forgotten: the oldest of 5000");
        Assert.That(guesses.WaitAsync(HostAddress.FromV4(4999), default).IsCompleted, Is.False);
        clock.Advance(TimeSpan.FromMinutes(1));
        guesses.Failed(Guesser, "10.0.0.1:5");
        Assert.That(log.Lines.Last(), Does.Contain("(5000 times"));
    }

    [Test]
    public async Task Guessing_at_a_daemon_is_slow_logged_and_counted()
    {
        using var folder = new SocketFolder();
        await using DaemonProcess daemon = await OwnDaemon.StartAsync(folder);
        var address = new Uri($"http://{await OwnDaemon.TcpAsync(daemon)}/");
        Assert.That(await folder.Http.GetStringAsync("/metrics"), Does.Contain("l4balancer_admin_auth_failures_total{} 0\n"));

        Assert.That(await ReloadAsync(address, "wrong-but-long-enough"), Is.EqualTo(HttpStatusCode.Unauthorized));
        var watch = Stopwatch.StartNew();
        Assert.That(await ReloadAsync(address, "wrong-but-long-enough"), Is.EqualTo(HttpStatusCode.Unauthorized));
        Assert.That(await ReloadAsync(address, AdminScene.Token), Is.EqualTo(HttpStatusCode.OK));
        Assert.That(watch.Elapsed, Is.GreaterThanOrEqualTo(2 * TokenGuesses.Delay - TimeSpan.FromMilliseconds(50)));

        watch.Restart();
        using var free = new HttpClient { BaseAddress = address };
        Assert.That(await free.GetStringAsync("/readyz"), Is.EqualTo("ready\n"));
        Assert.That(watch.Elapsed, Is.LessThan(TokenGuesses.Delay), "what needs no token is not delayed");
        Assert.That(await folder.Http.GetStringAsync("/metrics"), Does.Contain("l4balancer_admin_auth_failures_total{} 2\n"));
        Assert.That(daemon.Output.Where(l => l.Contains("wrong token", StringComparison.Ordinal)), Has.Exactly(1).Contains("127.0.0.1:"));
    }

    // Each on a connection of its own, as one who guesses does.
    private static async Task<HttpStatusCode> ReloadAsync(Uri address, string token)
    {
        using var http = new HttpClient { BaseAddress = address };
        http.DefaultRequestHeaders.Authorization = new("Bearer", token);
        using HttpResponseMessage response = await http.PostAsync("/v1/reload", null);
        return response.StatusCode;
    }
}
