using System.Net.Sockets;

namespace L4Balancer.Tests.Admin;

/// <summary>The help of the commands beside a daemon at the default address, which never answers.</summary>
[CancelAfter(180_000)]
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class HelpTests
{
    private const string OwnRun = "mount -t tmpfs none /run && mkdir /run/l4balancer && mount --bind \"$0\" /run/l4balancer && exec \"$@\"";

    private static string[] Unshare => ["unshare", Environment.IsPrivilegedProcess ? "-m" : "-rm", "sh", "-c", OwnRun];

    [TestCase]
    [TestCase("ready")]
    [TestCase("drain")]
    [TestCase("weight")]
    [TestCase("close")]
    public async Task It_is_static_text_and_does_not_ask_the_daemon(params string[] command)
    {
        using var folder = new SocketFolder();
        string path = Path.GetDirectoryName(folder.SocketPath)!;
        await RequireNamespaceAsync(path);
        using var daemon = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        daemon.Bind(new UnixDomainSocketEndPoint(folder.SocketPath));
        daemon.Listen(100);

        await using DaemonProcess help = DaemonProcess.Start(new Dictionary<string, string>(), [.. Unshare, path], [.. command, "--help"]);
        Assert.That(await help.ExitAsync(), Is.Zero);
        Assert.That(daemon.Poll(0, SelectMode.SelectRead), Is.False, "it has connected");
        Assert.That(help.Output, Has.Some.Contains(command is ["close"] ? "--backend <POOL/NAME>" : "<BACKEND>"));

        // What a shell asks for is another matter; and it shows that the socket is at the default address.
        await using DaemonProcess shell = DaemonProcess.Start(
            new Dictionary<string, string>(), [.. Unshare, path], "[suggest:17]", "l4balancer ready ");
        await shell.ExitAsync();
        Assert.That(daemon.Poll(0, SelectMode.SelectRead), Is.True);
    }

    private static async Task RequireNamespaceAsync(string path)
    {
        await using DaemonProcess tried = DaemonProcess.Start(new Dictionary<string, string>(), [.. Unshare, path], "version");
        if (await tried.ExitAsync() != 0)
        {
            Assert.Ignore($"No mount namespace with a /run of its own can be made here: {string.Join(' ', tried.Errors)}");
        }
    }
}
