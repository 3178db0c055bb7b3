using System.Text;
using L4Balancer.Core.Fleet;
using L4Balancer.Core.Routing;
using L4Balancer.Etcd;
using L4Balancer.Fleet;

namespace L4Balancer.Tests.Fleet;

/// <summary>What is known of the store where listings, changes and the answers to writes arrive in another order than they happened.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class FleetBookTests
{
    private static readonly FleetKeys Keys = new("chat");
    private static readonly string Key = Keys.Intent("chat", "ws1");

    private readonly FleetBook _book = new(Keys);

    public FleetBookTests() => _book.Replace(new EtcdListing([Marker("a", 1)], 1));

    [Test]
    public void A_listing_from_before_a_write_does_not_take_it_away()
    {
        _book.BeginListing();
        _book.Learn(Key, Drain(11), 11);
        Assert.That(_book.Replace(new EtcdListing([Marker("a", 1)], 10)), Is.False);
        Assert.That(_book.IntentOf("chat", "ws1").Revision, Is.EqualTo(11));

        _book.BeginListing();
        Assert.That(_book.Replace(new EtcdListing([Marker("a", 1)], 12)), Is.False);
        Assert.That(_book.IntentOf("chat", "ws1").Intent, Is.Null, "it has been deleted since");
    }

    [Test]
    public void A_listing_from_before_a_removal_does_not_bring_it_back()
    {
        _book.Replace(new EtcdListing([Marker("a", 1), Drain(5)], 5));
        _book.BeginListing();
        _book.Learn(Key, null, 9);
        _book.Replace(new EtcdListing([Marker("a", 1), Drain(5)], 8));
        Assert.That(_book.IntentOf("chat", "ws1").Intent, Is.Null);
    }

    [Test]
    public void A_removal_that_is_older_than_what_is_known_changes_nothing()
    {
        _book.Learn(Key, Drain(11), 11);
        _book.Put(Key, null, 10);
        Assert.That(_book.IntentOf("chat", "ws1").Intent?.Mode?.Mode, Is.EqualTo(BackendMode.Draining));
        _book.Put(Key, null, 12);
        Assert.That(_book.IntentOf("chat", "ws1").Intent, Is.Null);
    }

    [Test]
    public void A_store_with_another_marker_has_lost_everything_and_one_whose_marker_was_just_made_has_not()
    {
        _book.BeginListing();
        _book.Learn(Key, Drain(11), 11);
        Assert.That(_book.Replace(new EtcdListing([], 3)), Is.True);
        Assert.That(_book.IntentOf("chat", "ws1").Intent, Is.Null);

        _book.BeginListing();
        _book.Learn(Keys.Marker, Marker("b", 5), 5);
        Assert.That((_book.Replace(new EtcdListing([], 4)), _book.Marker), Is.EqualTo((false, "b")));
    }

    private static EtcdEntry Marker(string text, long revision) => new(Keys.Marker, Encoding.UTF8.GetBytes(text), revision, revision, 0);

    private static EtcdEntry Drain(long revision)
    {
        var origin = new OverrideOrigin("of the test", DateTimeOffset.UnixEpoch, null);
        return new EtcdEntry(Key, IntentDocument.Write(new FleetIntent(new ModeIntent(BackendMode.Draining, origin), null)), revision, revision, 0);
    }
}
