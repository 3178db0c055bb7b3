using L4Balancer.Admin;
using L4Balancer.Admin.Access;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Timing;
using L4Balancer.Web;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Tests.Admin;

/// <summary>Whether a connection from loopback, which needs no token to read, counts as one that has shown it.</summary>
internal sealed class TrustTests
{
    private const string Wrong = "not-the-t0ken-at-all";

    private static readonly HostAddress Loopback = HostAddress.FromV4(0x7F00_0001);

    private int _failures;
    private Guard _guard = null!;

    [SetUp]
    public void Make_a_guard()
    {
        _failures = 0;
        _guard = new Guard(
            static () => AccessToken.Of(AdminScene.Token),
            static () => [],
            new TokenGuesses(TimeProvider.System, () => _failures++, NullLogger.Instance),
            new AnswerSlots(TimeProvider.System),
            NullLogger.Instance);
    }

    [Test]
    public async Task The_token_counts_where_the_answer_is_limited([Values("/metrics", "/v1/config")] string path)
    {
        ConnectionPlace place = PlaceOf(Loopback);
        Assert.That(await AskAsync(place, path, null), Is.False);
        Assert.That(await AskAsync(place, path, AdminScene.Token), Is.True);
        Assert.That(await AskAsync(place, path, null), Is.True, "it was shown before");
    }

    [Test]
    public async Task A_wrong_token_takes_the_trust_back([Values("/metrics", "/v1/config")] string path)
    {
        ConnectionPlace place = PlaceOf(Loopback);
        await AskAsync(place, path, AdminScene.Token);
        Assert.That(await AskAsync(place, path, Wrong), Is.False);
        Assert.That(_failures, Is.EqualTo(1));
        Assert.That(await AskAsync(place, path, null), Is.False);
    }

    [Test]
    public async Task So_does_one_that_is_sent_with_a_change()
    {
        ConnectionPlace place = PlaceOf(Loopback);
        Assert.That(await AskAsync(place, "/v1/config", AdminScene.Token), Is.True);
        await AskAsync(place, "/v1/reload", Wrong, "POST");
        Assert.That((place.IsTrusted, _failures), Is.EqualTo((false, 1)));
    }

    [Test]
    public async Task The_local_socket_needs_none_and_loses_nothing()
    {
        ConnectionPlace place = PlaceOf(null);
        Assert.That(await AskAsync(place, "/metrics", Wrong), Is.True);
    }

    private static ConnectionPlace PlaceOf(HostAddress? source)
    {
        var places = new ConnectionPlaces(PlaceLimits.ForTcp("[admin] listen", 64), TimeProvider.System, NullLogger.Instance);
        return new ConnectionPlace(places, new DefaultConnectionContext(), source, source is null, Instant.Now(TimeProvider.System));
    }

    /// <returns>Whether the request is answered, and its connection is trusted meanwhile.</returns>
    private async Task<bool> AskAsync(ConnectionPlace place, string path, string? token, string method = "GET")
    {
        var http = new DefaultHttpContext();
        http.Features.Set(place);
        http.Features.Set(new Requester(place.Source is null, place.Source is not null, "the test"));
        http.Features.Get<IHttpRequestFeature>()!.RawTarget = path;
        http.Request.Method = method;
        http.Request.Path = path;
        http.Request.Host = new HostString("127.0.0.1");
        if (token is not null)
        {
            http.Request.Headers.Authorization = $"Bearer {token}";
        }

        object limit = path == "/metrics" ? Guard.LimitsItself : Guard.LargeAnswer;
        http.SetEndpoint(new Microsoft.AspNetCore.Http.Endpoint(null, new EndpointMetadataCollection(limit), null));
        bool trusted = false;
        await _guard.BeforeAsync(http, _ =>
        {
            trusted = place.IsTrusted;
            return Task.CompletedTask;
        });
        return trusted;
    }
}
