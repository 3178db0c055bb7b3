using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;

namespace L4Balancer.Admin;

/// <summary>
/// The file of the local socket: created with mode 0660 before clients can connect, and removed at the end if no other process has
/// replaced it. Everyone who may open the socket has full access, so an existing file is checked before it is replaced.
/// </summary>
internal sealed class AdminSocket : IDisposable
{
    private const UnixFileMode Mode =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite;

    private const UnixFileMode FolderMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    /// <summary>The errno of open(2) for a socket; the same on x86-64 and arm64.</summary>
    private const int ENXIO = 6;

    private readonly DateTime _madeAt;

    private AdminSocket(string path, Socket listener)
    {
        Path = path;
        Listener = listener;
        _madeAt = File.GetLastWriteTimeUtc(path);
    }

    public string Path { get; }

    /// <summary>The bound socket. Connects fail (connect(2): ECONNREFUSED) until it listens.</summary>
    public Socket Listener { get; }

    /// <summary>Binds the socket and replaces a stale one.</summary>
    /// <param name="fault">The reason for a failure, with the remedy.</param>
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
            fault = $"it cannot be created: {e.Message.TrimEnd('.')}; make its directory writable for the daemon, or change `socket`";
            return null;
        }
    }

    /// <summary>Closes the socket and removes the file, unless another process has replaced it.</summary>
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
            // The file remains as a stale socket, which the next daemon replaces.
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
            fault = "the existing file is not a socket: remove it, or change `socket`";
            return false;
        }

        switch (Connect(path))
        {
            case SocketError.ConnectionRefused:
                File.Delete(path);
                return true;
            case SocketError.AddressNotAvailable:
                // Its owner has removed it meanwhile.
                return true;
            case SocketError.AccessDenied:
                fault = "it belongs to another user: remove it, or change `socket`";
                return false;
            default:
                fault = "another daemon uses it: stop that daemon, or change `socket`";
                return false;
        }
    }

    // connect(2) fails alike for a stale socket and for a file of another kind, but only a socket cannot be opened.
    private static bool IsSocket(string path)
    {
        try
        {
            // Opened for reading and writing, so that open(2) does not block on a FIFO.
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
        // Non-blocking: if the queue of a running daemon is full, connect(2) returns EAGAIN at once.
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

    /// <summary>
    /// An address whose file the framework does not delete when the socket is closed, because it could delete a successor's file.
    /// </summary>
    private sealed class KeptEndPoint(string path) : EndPoint
    {
        private readonly UnixDomainSocketEndPoint _address = new(path);

        public override AddressFamily AddressFamily => AddressFamily.Unix;

        public override SocketAddress Serialize() => _address.Serialize();

        public override EndPoint Create(SocketAddress socketAddress) => _address.Create(socketAddress);

        public override string ToString() => path;
    }
}
