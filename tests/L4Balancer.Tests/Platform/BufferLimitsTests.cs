using L4Balancer.Core.Config;
using L4Balancer.Platform;

namespace L4Balancer.Tests.Platform;

/// <summary>Buffer sizes that the kernel reduces are reported, with the setting that allows them.</summary>
internal sealed class BufferLimitsTests
{
    private const long Limit = 212_992;

    [Test]
    public void Each_size_above_the_limit_is_one_warning_with_its_place_and_the_remedy()
    {
        Assert.That(
            BufferLimits.Warnings(Of(sending: 8L << 20, receiving: 1L << 20), Limit, Limit),
            Is.EqualTo(new[]
            {
                "send_buffer = \"8MiB\" (listener front): the kernel reduces it to 212992 bytes; sysctl net.core.wmem_max=8388608 allows it",
                "receive_buffer = \"1MiB\" (pool chat): the kernel reduces it to 212992 bytes; sysctl net.core.rmem_max=1048576 allows it",
            }));
    }

    [Test]
    public void Sizes_within_the_limit_or_of_a_kernel_without_a_known_one_are_no_warning()
    {
        using (Assert.EnterMultipleScope())
        {
            Assert.That(BufferLimits.Warnings(Of(Limit, Limit), Limit, Limit), Is.Empty);
            Assert.That(BufferLimits.Warnings(Of(0, 0), Limit, Limit), Is.Empty);
            Assert.That(BufferLimits.Warnings(Of(8L << 20, 8L << 20), null, null), Is.Empty);
        }
    }

    private static BalancerConfig Of(long sending, long receiving) => new()
    {
        Listeners = [new ListenerSettings { Name = "front", Bind = [], Pool = "chat", SendBuffer = new ByteSize(sending) }],
        Pools = [new PoolSettings { Name = "chat", ReceiveBuffer = new ByteSize(receiving) }],
    };
}
