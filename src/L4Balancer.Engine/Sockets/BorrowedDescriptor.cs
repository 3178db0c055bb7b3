using System.Net.Sockets;

namespace L4Balancer.Engine.Sockets;

/// <summary>
/// The descriptor of a framework socket, kept open until this is disposed, so that the number cannot be reused if another thread closes
/// the socket meanwhile.
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

    /// <summary>-1 if the socket is closed: every call with it fails with EBADF.</summary>
    public int Number { get; }

    public void Dispose() => _handle?.DangerousRelease();
}
