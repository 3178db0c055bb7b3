using L4Balancer.Engine.Ledger;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Keeper;

/// <summary>Fetches the descriptors of some connections in one request, and compares them with what the ledger says.</summary>
internal static class LeftBatch
{
    /// <summary>Each may have two sockets and the two ends of two pipes, and a message carries 252 descriptors.</summary>
    public const int Most = PacketSocket.MostDescriptors / PerConnection;

    private const int PerConnection = 6;

    public static IReadOnlyList<LeftConnection> Fetch(IReadOnlyList<LedgerConnection> batch, FetchDescriptors fetch)
    {
        List<int> numbers = [];
        foreach (LedgerConnection left in batch)
        {
            numbers.Add(left.Entry.Client);
            numbers.Add(left.Entry.Backend);
            Add(numbers, left.ToBackend);
            Add(numbers, left.ToClient);
        }

        var here = new int[numbers.Count];
        string? fault = fetch([.. numbers], here);
        if (fault is not null && batch.Count > 1)
        {
            // Perhaps this process has no place for so many: each half alone.
            Array.ForEach(Array.FindAll(here, static d => d >= 0), TcpSocket.Close);
            int half = batch.Count / 2;
            return [.. Fetch([.. batch.Take(half)], fetch), .. Fetch([.. batch.Skip(half)], fetch)];
        }

        int at = 0;
        return [.. batch.Select(left => Compare(left, here, ref at))];
    }

    private static LeftConnection Compare(LedgerConnection left, int[] here, ref int at)
    {
        LedgerEntry entry = left.Entry;
        LedgerDoubts doubts = left.Doubts;
        int client = TakeSocket(here[at++], entry.ClientCookie, (entry.Ends & EntryEnds.PassedToClient) != 0, ref doubts);
        int backend = TakeSocket(here[at++], entry.BackendCookie, (entry.Ends & EntryEnds.PassedToBackend) != 0, ref doubts);
        ExportedPipe? toBackend = TakePipe(left.ToBackend, here, ref at, ref doubts);
        ExportedPipe? toClient = TakePipe(left.ToClient, here, ref at, ref doubts);
        return new LeftConnection(left, client, backend, toBackend, toClient, doubts);
    }

    private static int TakeSocket(int socket, ulong cookie, bool finSent, ref LedgerDoubts doubts)
    {
        if (socket >= 0 && KeeperConnection.IsSocket(socket, cookie))
        {
            doubts |= SocketCookie.HasFailed(socket, finSent) ? LedgerDoubts.Failed : LedgerDoubts.None;
            return socket;
        }

        if (socket >= 0)
        {
            TcpSocket.Close(socket);
        }

        doubts |= LedgerDoubts.Missing;
        return -1;
    }

    // An empty one is of no use: the adopting worker has its own.
    private static ExportedPipe? TakePipe(LedgerPipeEnds? noted, int[] here, ref int at, ref LedgerDoubts doubts)
    {
        if (noted is null)
        {
            return null;
        }

        (int readEnd, int writeEnd) = (here[at], here[at + 1]);
        at += 2;
        var pipe = new ExportedPipe(readEnd, writeEnd, noted.Capacity, readEnd < 0 ? 0 : TcpSocket.Unread(readEnd));
        bool isThere = readEnd >= 0 && writeEnd >= 0
            && KeeperConnection.IsPipe(readEnd, noted.Inode) && KeeperConnection.IsPipe(writeEnd, noted.Inode);
        doubts |= isThere ? LedgerDoubts.None : LedgerDoubts.Missing;
        if (isThere && pipe.Held > 0)
        {
            return pipe;
        }

        foreach (int end in (int[])[readEnd, writeEnd])
        {
            if (end >= 0)
            {
                TcpSocket.Close(end);
            }
        }

        return null;
    }

    private static void Add(List<int> numbers, LedgerPipeEnds? pipe)
    {
        if (pipe is not null)
        {
            numbers.Add(pipe.ReadEnd);
            numbers.Add(pipe.WriteEnd);
        }
    }
}
