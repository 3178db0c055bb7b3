using System.Net.Sockets;

namespace L4Balancer.Engine.Sockets;

/// <summary>
/// The descriptor of a socket of the framework, which stays open until this is disposed: another thread that closes the socket meanwhile
/// must not make the number another's.
/// </summary>
internal readonly ref struct BorrowedDescriptor : IDisposable
{
    private readonly SafeSocketHandle? _handle;

    public BorrowedDescriptor(Socket socket)
    {
        bool held = false;
        try
        {
            SafeSocketHandle handle = socket.SafeHandle;
            handle.DangerousAddRef(ref held);
            _handle = handle;
            Number = (int)handle.DangerousGetHandle();
        }
        catch (ObjectDisposedException)
        {
            _handle = null;
            Number = -1;
        }
    }

    /// <summary>-1 where the socket is closed: every call with it answers EBADF.</summary>
    public int Number { get; }

    public void Dispose() => _handle?.DangerousRelease();
}
