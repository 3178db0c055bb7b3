using System.Runtime.Versioning;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Handover;
using L4Balancer.Core.Routing;
using L4Balancer.Engine;
using L4Balancer.Engine.Keeper;

namespace L4Balancer.Recovery;

/// <summary>A connection that this process has given up in an upgrade, and that the new process had not begun to serve when it ended.</summary>
/// <param name="ClientCookie">SO_COOKIE of its client's socket; the other of its backend's.</param>
/// <param name="ToBackend">Bytes that were read and not yet written.</param>
/// <param name="HasPipe">Some of these were in a pipe, which is not found again.</param>
internal sealed record MovingConnection(
    CarriedRecord Record, ulong ClientCookie, ulong BackendCookie, bool ClientIsUnix, ReadOnlyMemory<byte> ToBackend, ReadOnlyMemory<byte> ToClient,
    bool HasPipe);

/// <summary>
/// The slice that was under way when the new process of an upgrade ended: its connections are in the ledger of neither process, and their sockets with the
/// keeper of the new one. One thread at a time.
/// </summary>
[SupportedOSPlatform("linux")]
internal sealed class MovingConnections(IReadOnlyList<MovingConnection> moving)
{
    private readonly HashSet<ulong> _cookies = [.. moving.Where(static m => !m.HasPipe).SelectMany(static m => (ulong[])[m.ClientCookie, m.BackendCookie])];
    private readonly Dictionary<ulong, int> _found = [];

    /// <summary>Takes a socket that no ledger names, if it is of one of them.</summary>
    public bool TryTake(ulong cookie, int descriptor) => _cookies.Contains(cookie) && _found.TryAdd(cookie, descriptor);

    /// <summary>Goes on with those of which both sockets were found.</summary>
    /// <returns>How many were adopted, and how many reset.</returns>
    public async Task<(int Adopted, int Reset)> AdoptAsync(IEngine engine, RoutingSnapshot snapshot, Survivors survivors)
    {
        List<ExportedConnection> adopted = [];
        foreach (MovingConnection one in moving)
        {
            if (_found.ContainsKey(one.ClientCookie) && _found.ContainsKey(one.BackendCookie))
            {
                (ConnectionRecord record, ConnectionEnd end) = one.Record.Revive(snapshot, survivors);
                _found.Remove(one.ClientCookie, out int client);
                _found.Remove(one.BackendCookie, out int backend);
                adopted.Add(new ExportedConnection
                {
                    Record = record,
                    End = end,
                    Client = client,
                    Backend = backend,
                    ClientIsUnix = one.ClientIsUnix,
                    LastActivity = one.Record.LastActivity,
                    ToBackend = one.ToBackend,
                    ToClient = one.ToClient,
                });
            }
        }

        int lost = _found.Values.Count(SocketReset.Now);
        _found.Clear();
        IReadOnlyList<AdoptFailure> failures = adopted.Count > 0 ? await engine.AdoptAsync(adopted) : [];
        return (adopted.Count - failures.Count, failures.Count + (lost > 0 ? 1 : 0));
    }
}
