using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.Versioning;
using L4Balancer.Admin;
using L4Balancer.Web;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Tests.Admin;

/// <summary>The file of the local socket, in this process.</summary>
[Platform("Linux")]
[UnsupportedOSPlatform("windows")]
internal sealed class AdminSocketTests
{
    private DirectoryInfo _folder = null!;
    private ControlSockets _sockets = null!;

    private string SocketPath => Path.Combine(_folder.FullName, "run", "admin.sock");

    [SetUp]
    public void Make_a_folder()
    {
        _folder = Directory.CreateTempSubdirectory("l4b-");
        _sockets = new ControlSockets([], NullLogger.Instance);
    }

    [TearDown]
    public void Remove_it()
    {
        _sockets.Dispose();
        _folder.Delete(recursive: true);
    }

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
    public void It_is_anothers_while_that_one_has_it()
    {
        Assert.That(AdminSocket.IsAnothers(SocketPath), Is.False, "there is none");
        using (Create())
        {
            Assert.That(AdminSocket.IsAnothers(SocketPath), "it is about to listen");
        }

        LeaveStale(SocketPath);
        Assert.That(AdminSocket.IsAnothers(SocketPath), Is.False, "its owner has died");
        Assert.That(AdminSocket.IsAnothers(""), Is.False);
    }

    [Test]
    public void A_living_one_is_left_alone()
    {
        using AdminSocket living = Create();
        living.Listener.Listen();
        Assert.That(AdminSocket.TryCreate(SocketPath, _sockets, out string fault), Is.Null);
        Assert.That(fault, Does.Contain("another daemon"));
        Assert.That(ConnectTo(SocketPath), Is.EqualTo(SocketError.Success));
    }

    [Test]
    public void What_is_no_socket_is_left_alone()
    {
        _folder.CreateSubdirectory("run");
        File.WriteAllText(SocketPath, "precious");
        Assert.That(AdminSocket.TryCreate(SocketPath, _sockets, out string fault), Is.Null);
        Assert.That(fault, Does.Contain("not a socket"));
        Assert.That(File.ReadAllText(SocketPath), Is.EqualTo("precious"));
    }

    [Test]
    public void A_folder_in_its_place_is_left_alone()
    {
        Directory.CreateDirectory(SocketPath);
        Assert.That(AdminSocket.TryCreate(SocketPath, _sockets, out string fault), Is.Null);
        Assert.That(fault, Does.Contain("not a socket"));
    }

    [TestCase("mkfifo {0}")]
    [TestCase("echo precious > {0}.there && ln -s {0}.there {0}")]
    [TestCase("ln -s /nowhere/at-all {0}")]
    [TestCase("ln -s /dev/zero {0}")]
    public void A_pipe_a_device_and_a_link_to_what_is_no_socket_are_left_alone(string made)
    {
        _folder.CreateSubdirectory("run");
        Run("sh", "-c", string.Format(null, made, SocketPath));
        string before = Run("stat", "-c", "%F %i %s", SocketPath).Output;
        Assert.That(AdminSocket.TryCreate(SocketPath, _sockets, out string fault), Is.Null);
        Assert.That(fault, Does.Contain("change `socket`"));
        Assert.That(Run("stat", "-c", "%F %i %s", SocketPath).Output, Is.EqualTo(before));
    }

    [Test]
    public void Another_user_cannot_open_it()
    {
        if (!Environment.IsPrivilegedProcess || !File.Exists("/usr/bin/setpriv") || !File.Exists("/usr/bin/python3"))
        {
            Assert.Ignore("needs root, setpriv (util-linux) and python3");
        }

        File.SetUnixFileMode(_folder.FullName, File.GetUnixFileMode(_folder.FullName) | UnixFileMode.OtherExecute);
        using AdminSocket socket = Create();
        socket.Listener.Listen();
        string[] connect = ["/usr/bin/python3", "-c", "import socket,sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1]); print('in')", SocketPath];
        Assert.That(Run("env", connect).Output, Does.Contain("in"));
        string[] stranger = ["--reuid=65534", "--regid=65534", "--clear-groups", .. connect];
        Assert.That(Run("setpriv", stranger).Errors, Does.Contain("PermissionError"));
    }

    [Test]
    public void Where_it_cannot_be_made_the_mend_is_said()
    {
        File.WriteAllText(Path.Combine(_folder.FullName, "run"), "in the way");
        Assert.That(AdminSocket.TryCreate(SocketPath, _sockets, out string fault), Is.Null);
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
        AdminSocket? socket = AdminSocket.TryCreate(SocketPath, _sockets, out string fault);
        Assert.That(socket, Is.Not.Null, fault);
        return socket!;
    }

    private static (string Output, string Errors) Run(string program, params string[] args)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, args) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (output, errors.Result);
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
