using System.Net.Sockets;
using System.Runtime.Versioning;
using L4Balancer.Admin;

namespace L4Balancer.Tests.Admin;

/// <summary>The file of the local socket, in this process.</summary>
[Platform("Linux")]
[UnsupportedOSPlatform("windows")]
internal sealed class AdminSocketTests
{
    private DirectoryInfo _folder = null!;

    private string SocketPath => Path.Combine(_folder.FullName, "run", "admin.sock");

    [SetUp]
    public void Make_a_folder() => _folder = Directory.CreateTempSubdirectory("l4b-");

    [TearDown]
    public void Remove_it() => _folder.Delete(recursive: true);

    [Test]
    public void It_has_its_mode_before_it_listens_and_goes_with_its_owner()
    {
        using (AdminSocket socket = Create())
        {
            Assert.That(File.GetUnixFileMode(SocketPath), Is.EqualTo(
                UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite));
            Assert.That(ConnectTo(SocketPath), Is.EqualTo(SocketError.ConnectionRefused));
            socket.Listener.Listen();
            Assert.That(ConnectTo(SocketPath), Is.EqualTo(SocketError.Success));
        }

        Assert.That(Path.Exists(SocketPath), Is.False);
    }

    [Test]
    public void A_stale_one_is_replaced()
    {
        _folder.CreateSubdirectory("run");
        LeaveStale(SocketPath);
        using AdminSocket socket = Create();
        socket.Listener.Listen();
        Assert.That(ConnectTo(SocketPath), Is.EqualTo(SocketError.Success));
    }

    [Test]
    public void A_living_one_is_left_alone()
    {
        using AdminSocket living = Create();
        living.Listener.Listen();
        Assert.That(AdminSocket.TryCreate(SocketPath, out string fault), Is.Null);
        Assert.That(fault, Does.Contain("another daemon"));
        Assert.That(ConnectTo(SocketPath), Is.EqualTo(SocketError.Success));
    }

    [Test]
    public void What_is_no_socket_is_left_alone()
    {
        _folder.CreateSubdirectory("run");
        File.WriteAllText(SocketPath, "precious");
        Assert.That(AdminSocket.TryCreate(SocketPath, out string fault), Is.Null);
        Assert.That(fault, Does.Contain("not a socket"));
        Assert.That(File.ReadAllText(SocketPath), Is.EqualTo("precious"));
    }

    [Test]
    public void A_folder_in_its_place_is_left_alone()
    {
        Directory.CreateDirectory(SocketPath);
        Assert.That(AdminSocket.TryCreate(SocketPath, out string fault), Is.Null);
        Assert.That(fault, Does.Contain("not a socket"));
    }

    [Test]
    public void Where_it_cannot_be_made_the_mend_is_said()
    {
        File.WriteAllText(Path.Combine(_folder.FullName, "run"), "in the way");
        Assert.That(AdminSocket.TryCreate(SocketPath, out string fault), Is.Null);
        Assert.That(fault, Does.Contain("change `socket`"));
    }

    [Test]
    public void A_successor_s_file_is_not_removed()
    {
        using (AdminSocket socket = Create())
        {
            File.Delete(SocketPath);
            File.WriteAllText(SocketPath, "another's");
            File.SetLastWriteTimeUtc(SocketPath, DateTime.UtcNow.AddSeconds(5));
        }

        Assert.That(Path.Exists(SocketPath), Is.True);
    }

    private AdminSocket Create()
    {
        AdminSocket? socket = AdminSocket.TryCreate(SocketPath, out string fault);
        Assert.That(socket, Is.Not.Null, fault);
        return socket!;
    }

    // A process that was killed: the file stays, nobody listens. Moved away, the framework does not find it to delete it.
    private static void LeaveStale(string path)
    {
        using (var dead = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            dead.Bind(new UnixDomainSocketEndPoint(path));
            dead.Listen();
            File.Move(path, path + ".kept");
        }

        File.Move(path + ".kept", path);
    }

    private static SocketError ConnectTo(string path)
    {
        using var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            client.Connect(new UnixDomainSocketEndPoint(path));
            return SocketError.Success;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode;
        }
    }
}
