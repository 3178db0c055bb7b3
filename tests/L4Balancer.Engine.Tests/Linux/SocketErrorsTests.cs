using System.Net.Sockets;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Tests.Linux;

/// <summary>The .NET name of an errno agrees with the runtime's own table.</summary>
internal sealed class SocketErrorsTests
{
    /// <summary>Several errno share a name, or have none.</summary>
    private static readonly Errno[] Nameless =
    [
        Errno.EPERM, Errno.ENOENT, Errno.E2BIG, Errno.EBADF, Errno.ENOMEM, Errno.EBUSY, Errno.EEXIST, Errno.ENODEV, Errno.EMFILE, Errno.ENOSPC,
        Errno.ENOSYS, Errno.EPROTO, Errno.ETOOMANYREFS,
    ];

    [Test]
    public void Every_errno_has_the_name_that_the_runtime_gives_it()
    {
        foreach (Errno error in Enum.GetValues<Errno>().Except(Nameless).Except([Errno.None]))
        {
            Assert.That(new SocketException((int)error.ToSocketError()).NativeErrorCode, Is.EqualTo((int)error), $"{error}");
        }
    }

    [Test]
    public void A_shortage_is_a_shortage_under_either_of_its_names()
    {
        Assert.That(Errno.ENOMEM.ToSocketError(), Is.EqualTo(Errno.ENOBUFS.ToSocketError()));
        Assert.That(Errno.ENFILE.ToSocketError(), Is.EqualTo(Errno.EMFILE.ToSocketError()));
        Assert.That(Errno.EPERM.ToSocketError(), Is.EqualTo(Errno.EACCES.ToSocketError()));
    }
}
