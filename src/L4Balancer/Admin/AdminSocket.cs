using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using L4Balancer.Engine.Sockets;
using L4Balancer.Platform;
using L4Balancer.Web;

namespace L4Balancer.Admin;

/// <summary>
/// The file of the local socket: created with mode 0660 before clients can connect, and removed at the end if no other process has
/// replaced it, or serves on the same socket. Everyone who may open the socket has full access, so an existing file is checked before it is replaced.
/// </summary>
internal sealed class AdminSocket : IDisposable
{
    private const UnixFileMode Mode =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite;

    private const UnixFileMode FolderMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    private readonly ControlSockets _among;
    private readonly SocketFile _file;

    private AdminSocket(string path, ControlSocket listener, ControlSockets among)
    {
        Path = path;
        Listener = listener;
        _among = among;
        _file = new SocketFile(path);
    }

    public string Path { get; }

    /// <summary>The bound socket. Connects fail (connect(2): ECONNREFUSED) until it listens.</summary>
    public ControlSocket Listener { get; }

    /// <summary>Goes on with the socket that another process left, or binds it and replaces a stale one.</summary>
    /// <param name="among">What was left, and what is open.</param>
    /// <param name="fault">The reason for a failure, with the remedy.</param>
    [UnsupportedOSPlatform("windows")]
    public static AdminSocket? TryCreate(string path, ControlSockets among, out string fault)
    {
        fault = "";
        if (among.TakeUnix(ControlSockets.Admin, path) is { } taken)
        {
            return new AdminSocket(path, taken, among);
        }

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
            return new AdminSocket(path, among.AddUnix(ControlSockets.Admin, listener), among);
        }
        catch (Exception e) when (e is IOException or SocketException or UnauthorizedAccessException)
        {
            listener.Dispose();
            fault = $"it cannot be created: {e.Message.TrimEnd('.')}; make its directory writable for the daemon, or change `socket`";
            return null;
        }
    }

    /// <summary>Why it could not be created now, with the remedy; null if it could. Changes nothing, and connects for a moment to what is there.</summary>
    public static string? WhyNot(string path)
    {
        string? folder = System.IO.Path.GetDirectoryName(path);
        while (folder is { Length: > 1 } && !Directory.Exists(folder))
        {
            folder = System.IO.Path.GetDirectoryName(folder);
        }

        string fault = FaultOf(SocketFile.Look(path));
        return fault.Length > 0 ? fault
            : folder is null || !LocalSocket.CanBeMadeIn(folder) ? $"{folder} is not writable; make it writable for the daemon, or change `socket`"
            : null;
    }

    /// <summary>Closes the socket and removes the file, unless another process has replaced it or serves on its socket.</summary>
    public void Dispose()
    {
        Listener.Dispose();
        if (!_among.AreShared)
        {
            _file.Remove();
        }
    }

    private static bool MakeRoom(string path, out string fault)
    {
        fault = FaultOf(SocketFile.MakeRoom(path));
        return fault.Length == 0;
    }

    private static string FaultOf(SocketFileState state) => state switch
    {
        SocketFileState.Free => "",
        SocketFileState.NotSocket => "the existing file is not a socket: remove it, or change `socket`",
        SocketFileState.NotPermitted => "it belongs to another user: remove it, or change `socket`",
        _ => "another daemon uses it: stop that daemon, or change `socket`",
    };

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
