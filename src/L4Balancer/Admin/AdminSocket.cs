using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;

namespace L4Balancer.Admin;

/// <summary>
/// The file of the local socket: made with mode 0660 before anyone can connect, and removed at the end if it is still ours. Whoever may
/// open it may do everything, so what it replaces is looked at first.
/// </summary>
internal sealed class AdminSocket : IDisposable
{
    private const UnixFileMode Mode =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite;

    private const UnixFileMode FolderMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    /// <summary>open(2) of a socket; the same on x86-64 and arm64.</summary>
    private const int ENXIO = 6;

    private readonly DateTime _madeAt;

    private AdminSocket(string path, Socket listener)
    {
        Path = path;
        Listener = listener;
        _madeAt = File.GetLastWriteTimeUtc(path);
    }

    public string Path { get; }

    /// <summary>Bound; nobody can connect until it listens (connect(2): ECONNREFUSED).</summary>
    public Socket Listener { get; }

    /// <summary>Binds, replacing a socket that nobody holds any more.</summary>
    /// <param name="fault">Why there is none, with the mend.</param>
    [UnsupportedOSPlatform("windows")]
    public static AdminSocket? TryCreate(string path, out string fault)
    {
        fault = "";
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!, FolderMode);
            if (!MakeRoom(path, out fault))
            {
                listener.Dispose();
                return null;
            }

            listener.Bind(new KeptEndPoint(path));
            File.SetUnixFileMode(path, Mode);
            return new AdminSocket(path, listener);
        }
        catch (Exception e) when (e is IOException or SocketException or UnauthorizedAccessException)
        {
            listener.Dispose();
            fault = $"it cannot be made: {e.Message.TrimEnd('.')}; make its folder writable for the daemon, or change `socket`";
            return null;
        }
    }

    /// <summary>Ends the listening and removes the file, unless another process has put its own there.</summary>
    public void Dispose()
    {
        Listener.Dispose();
        try
        {
            if (File.GetLastWriteTimeUtc(Path) == _madeAt)
            {
                File.Delete(Path);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It stays as a stale one, which the next daemon replaces.
        }
    }

    private static bool MakeRoom(string path, out string fault)
    {
        fault = "";
        if (!System.IO.Path.Exists(path))
        {
            return true;
        }

        if (!IsSocket(path))
        {
            fault = "something there is not a socket: remove it, or change `socket`";
            return false;
        }

        switch (Connect(path))
        {
            case SocketError.ConnectionRefused:
                File.Delete(path);
                return true;
            case SocketError.AddressNotAvailable:
                // Its owner has taken it away meanwhile.
                return true;
            case SocketError.AccessDenied:
                fault = "it belongs to another user: remove it, or change `socket`";
                return false;
            default:
                fault = "another daemon holds it: stop that one, or change `socket`";
                return false;
        }
    }

    // connect(2) refuses for a file of another kind as for a socket that nobody holds, but only a socket cannot be opened.
    private static bool IsSocket(string path)
    {
        try
        {
            // Reading and writing: this way open(2) does not wait at a FIFO.
            using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
            return false;
        }
        catch (IOException e)
        {
            return e.HResult == ENXIO;
        }
        catch (UnauthorizedAccessException)
        {
            return !Directory.Exists(path);
        }
    }

    private static SocketError Connect(string path)
    {
        // Without waiting: where the queue of a living daemon is full, connect(2) says EAGAIN at once.
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { Blocking = false };
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
            return SocketError.Success;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode;
        }
    }

    /// <summary>An address whose file the framework does not delete when the socket is closed: it would also delete a successor's.</summary>
    private sealed class KeptEndPoint(string path) : EndPoint
    {
        private readonly UnixDomainSocketEndPoint _address = new(path);

        public override AddressFamily AddressFamily => AddressFamily.Unix;

        public override SocketAddress Serialize() => _address.Serialize();

        public override EndPoint Create(SocketAddress socketAddress) => _address.Create(socketAddress);

        public override string ToString() => path;
    }
}
