using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Tests.Linux;

internal sealed class SysResultTests
{
    [Test]
    public void What_is_no_error_is_a_value()
    {
        SysResult result = SysResult.From(7);
        Assert.That((result.IsError, result.Value, result.Errno, result.ToString()), Is.EqualTo((false, 7, Errno.None, "7")));
        Assert.That((SysResult.From(0).IsError, SysResult.From(0).Value), Is.EqualTo((false, 0)));
    }

    [Test]
    public void A_call_that_fails_answers_its_errno()
    {
        SysResult result = SysResult.From(Libc.close(-1));
        Assert.That((result.IsError, result.Errno, result.ToString()), Is.EqualTo((true, Errno.EBADF, "EBADF")));
    }

    [Test]
    public void An_error_made_by_hand_is_one() =>
        Assert.That((SysResult.Error(Errno.EAGAIN).IsError, SysResult.Error(Errno.EAGAIN).Errno), Is.EqualTo((true, Errno.EAGAIN)));
}
