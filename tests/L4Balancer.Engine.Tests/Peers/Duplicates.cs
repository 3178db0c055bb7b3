using System.Runtime.InteropServices;

namespace L4Balancer.Engine.Tests.Peers;

/// <summary>Duplicates of descriptors, which are to one process what SCM_RIGHTS gives to another.</summary>
internal static class Duplicates
{
    private const int DuplicateCloseOnExec = 1030;

    public static int Of(int descriptor)
    {
        int copy = Control(descriptor, DuplicateCloseOnExec, 0);
        return copy >= 0 ? copy : throw new InvalidOperationException($"fcntl of {descriptor}: errno {Marshal.GetLastPInvokeError()}");
    }

    public static ExportedConnection Of(ExportedConnection connection) => connection with
    {
        Client = Of(connection.Client),
        Backend = Of(connection.Backend),
        PipeToBackend = Of(connection.PipeToBackend),
        PipeToClient = Of(connection.PipeToClient),
    };

    public static ListeningDescriptor[] Of(IReadOnlyList<ListeningDescriptor> sockets) =>
        [.. sockets.Select(s => s with { Descriptor = Of(s.Descriptor) })];

    /// <summary>As a process does that dies: no shutdown, no option.</summary>
    public static void Close(ExportedConnection copy)
    {
        foreach (int descriptor in DescriptorsOf(copy))
        {
            _ = Close(descriptor);
        }
    }

    public static IEnumerable<int> DescriptorsOf(ExportedConnection connection) =>
    [
        connection.Client, connection.Backend,
        .. new[] { connection.PipeToBackend, connection.PipeToClient }.OfType<ExportedPipe>().SelectMany(p => new[] { p.ReadEnd, p.WriteEnd }),
    ];

    private static ExportedPipe? Of(ExportedPipe? pipe) =>
        pipe is { } given ? given with { ReadEnd = Of(given.ReadEnd), WriteEnd = Of(given.WriteEnd) } : null;

    [DllImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static extern int Control(int descriptor, int command, int argument);

    [DllImport("libc", EntryPoint = "close", SetLastError = true)]
    private static extern int Close(int descriptor);
}
