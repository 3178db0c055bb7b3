using System.Net.Sockets;
using L4Balancer.Core.Config;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Tests.Epoll;
using L4Balancer.Engine.Tests.Peers;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>Multipath TCP where the kernel has it, and plain TCP with a warning where it has not.</summary>
[NonParallelizable]
internal abstract class MultipathContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    private static readonly ListenerSettings Listener = Settings.Listener("127.0.0.1:0", "[::1]:0") with { Mptcp = true };

    private readonly FakeLogCollector _log = new();

    private string[] Warnings => [.. _log.GetSnapshot().Where(r => r.Level >= Microsoft.Extensions.Logging.LogLevel.Warning).Select(r => r.Message)];

    [Test]
    public async Task A_client_with_it_and_one_without_are_served()
    {
        SysResult opened = TcpSocket.OpenMultipath(Settings.Address("127.0.0.1"));
        if (opened.IsError)
        {
            Assert.Ignore($"This kernel has no Multipath TCP, or net.mptcp.enabled is 0 ({opened}).");
        }

        using var multipath = new Socket(new SafeSocketHandle(opened.Value, ownsHandle: true));
        TestBackend backend = Backend();
        backend.ServeEcho();
        Rig rig = StartLogged(backend);
        await multipath.ConnectAsync(rig.Address.ToIPEndPoint()).Soon();
        Peer client = Keep(new Peer(multipath, rig.Address));

        await AskAsync(client);
        await VisitAsync(rig.Engine.Bound[0]);
        await VisitAsync(rig.Engine.Bound[1]);

        EngineSocket accepted = EngineSocket.Find(rig.Address, client.Local);
        Assert.That(accepted.Option(Libc.SOL_SOCKET, Libc.SO_PROTOCOL), Is.EqualTo(Libc.IPPROTO_MPTCP));
        Assert.That(Warnings, Is.Empty);
    }

    [TestCase("EPROTONOSUPPORT")]
    [TestCase("ENOPROTOOPT")]
    [TestCase("EINVAL")]
    public async Task A_kernel_without_it_serves_plain_TCP_and_a_warning_says_so(string error)
    {
        TestBackend backend = Backend();
        backend.ServeEcho();
        SystemFault.Installed = new FailingCalls(SystemCall.Socket, Enum.Parse<Errno>(error), times: 1);
        Rig rig;
        try
        {
            rig = StartLogged(backend);
        }
        finally
        {
            SystemFault.Installed = null;
        }

        await VisitAsync(rig.Address);
        Assert.That(Warnings, Is.EqualTo([
            "listener listener: mptcp = true, but this kernel has no Multipath TCP, or net.mptcp.enabled is 0; plain TCP is accepted",
        ]));
    }

    private Rig StartLogged(TestBackend backend) =>
        Start(Settings.Pool(backend), Listener, log: LoggerFactory.Create(b => b.AddProvider(new FakeLoggerProvider(_log))));
}
