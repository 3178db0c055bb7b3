using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Engine.Inspection;
using L4Balancer.Engine.Managed;
using L4Balancer.Engine.Tests.Contract;
using L4Balancer.Engine.Tests.Peers;
using Microsoft.Extensions.Time.Testing;

namespace L4Balancer.Engine.Tests.Managed;

/// <summary>The deadline of an inspection on a clock that the test moves.</summary>
internal sealed class InspectDeadlineTests : EngineContract
{
    private readonly FakeTimeProvider _clock;

    public InspectDeadlineTests()
        : this(new FakeTimeProvider())
    {
    }

    private InspectDeadlineTests(FakeTimeProvider clock)
        : base(options => new ManagedEngine(options with { Clock = clock })) => _clock = clock;

    [Test]
    public async Task A_deadline_that_comes_with_the_end_of_the_header_is_kept()
    {
        TimeSpan timeout = TimeSpan.FromSeconds(3);
        Rig rig = Start(
            Settings.Pool(Backend()),
            Settings.Listener("127.0.0.1:0") with
            {
                Inspect = InspectKind.Tls,
                InspectTimeout = timeout,
                AcceptProxyFrom = [Cidr.TryParse("127.0.0.0/8", out Cidr range) ? range : default],
            });
        byte[] header = "PROXY TCP4 192.0.2.1 198.51.100.2 123 456\r\n"u8.ToArray();
        Peer client = await ConnectAsync(rig);
        await Patience.Until(() => rig.Listener.Pending == 1, "it is accepted");
        TimeSpan left = FirstBytes.ShortestPause / 2;
        _clock.Advance(timeout - left);

        // After the free looks there is a pause, which does not end as long as the clock stands still: the deadline comes first.
        const int first = FirstBytes.FreeLooks + 8;
        for (int i = 0; i < first; i++)
        {
            await client.SendAsync(header.AsMemory(i, 1));
            await IsReadAsync(client, i + 1);
        }

        await client.SendAsync(header.AsMemory(first..));
        await IsReadAsync(client, header.Length);
        _clock.Advance(left);
        _clock.Advance(FirstBytes.ShortestPause);

        Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.InspectTimeout));
    }

    // The look at it follows on the thread that has read it.
    private static async Task IsReadAsync(Peer client, int bytes)
    {
        await Patience.Until(() => EngineSocket.Find(client.Remote, client.Local).BytesRead == bytes, "the engine has read it");
        await Patience.Elapse(TimeSpan.FromMilliseconds(3));
    }
}
