using System.Net.Sockets;

namespace L4Balancer.Engine.Sockets;

/// <summary>Whether a path is free for a new UNIX socket.</summary>
public enum SocketFileState
{
    /// <summary>There is no file, or a stale one was removed.</summary>
    Free,

    /// <summary>There is a file of another kind.</summary>
    NotSocket,

    /// <summary>There is a socket that this process may not connect to, or may not remove.</summary>
    NotPermitted,

    /// <summary>Another process listens there, or has bound the path and does not listen yet.</summary>
    InUse,
}

/// <summary>
/// The file of a UNIX socket that was bound here. It is removed at the end, unless another process has replaced it. One thread at a time.
/// </summary>
public sealed class SocketFile(string path)
{
    /// <summary>The errno of open(2) for a socket; the same on x86-64 and arm64.</summary>
    private const int ENXIO = 6;

    /// <summary>The UNIX sockets of the network namespace, one per line, which ends with the path of a bound one (proc(5)).</summary>
    private const string BoundSockets = "/proc/net/unix";

    /// <summary>The flags of a socket that listens there (__SO_ACCEPTCON).</summary>
    private const string Listening = " 00010000 ";

    private readonly DateTime? _madeAt = LastWriteOf(path);
    private bool _isRemoved;

    /// <summary>Removes the file of a process that has ended without removing it.</summary>
    public static SocketFileState MakeRoom(string path) => Look(path, TryDelete);

    /// <summary>As <see cref="MakeRoom"/>, but removes nothing, and does not know whether a stale file could be removed.</summary>
    public static SocketFileState Look(string path) => Look(path, static _ => true);

    private static SocketFileState Look(string path, Func<string, bool> remove)
    {
        if (!Path.Exists(path))
        {
            return SocketFileState.Free;
        }

        if (!IsSocket(path))
        {
            return SocketFileState.NotSocket;
        }

        switch (Connect(path))
        {
            case SocketError.ConnectionRefused when IsBound(path):
                return SocketFileState.InUse;
            case SocketError.ConnectionRefused:
                return remove(path) ? SocketFileState.Free : SocketFileState.NotPermitted;
            case SocketError.AddressNotAvailable:
                // Its owner has removed it meanwhile.
                return SocketFileState.Free;
            case SocketError.AccessDenied:
                return SocketFileState.NotPermitted;
            default:
                return SocketFileState.InUse;
        }
    }

    /// <summary>
    /// Whether clients that connect to the path reach the socket that was bound to it and is handed on: the file is there, and no other socket
    /// that listens was bound to the same path later.
    /// </summary>
    public static bool LeadsToTheOnlyListener(string path)
    {
        try
        {
            return IsSocket(path) && File.ReadLines(BoundSockets).Count(
                l => l.EndsWith($" {path}", StringComparison.Ordinal) && l.Contains(Listening, StringComparison.Ordinal)) == 1;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Removes the file, once, unless another process has replaced it.</summary>
    public void Remove()
    {
        if (!_isRemoved)
        {
            _isRemoved = true;
            try
            {
                if (_madeAt is not null && File.GetLastWriteTimeUtc(path) == _madeAt)
                {
                    File.Delete(path);
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // The file remains as a stale socket, which the next start replaces.
            }
        }
    }

    private static bool TryDelete(string path)
    {
        try
        {
            File.Delete(path);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
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

    // Null: the directory can no longer be read. Whether another process has replaced the file could not be known later, so it is left.
    private static DateTime? LastWriteOf(string path)
    {
        try
        {
            return File.GetLastWriteTimeUtc(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    // A socket that is bound refuses connects until it listens: another daemon is about to start there. It is not found if its owner is in
    // another network namespace, or has bound another spelling of the path.
    private static bool IsBound(string path)
    {
        try
        {
            return OperatingSystem.IsLinux() && File.ReadLines(BoundSockets).Any(l => l.EndsWith($" {path}", StringComparison.Ordinal));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static SocketError Connect(string path)
    {
        // Non-blocking: if the queue of a running process is full, connect(2) returns EAGAIN at once.
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
}
