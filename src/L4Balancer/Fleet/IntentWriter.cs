using L4Balancer.Core.Fleet;
using L4Balancer.Core.Routing;
using L4Balancer.Etcd;
using L4Balancer.Stores;

namespace L4Balancer.Fleet;

/// <summary>
/// Writes to the store what was set on this balancer, and removes what nobody needs any longer. A key is written only if it is as it was read, so that a
/// later setting of another balancer is never lost. For one caller at a time.
/// </summary>
internal sealed class IntentWriter(EtcdClient client, FleetKeys keys, FleetState state, TimeProvider clock)
{
    public static bool HasPending(DesiredState desired) => desired.Overrides.All.Any(static o => IntentMerge.IsPending(o.Set));

    /// <returns>Why the store cannot be used; empty if it can.</returns>
    public async Task<string> WriteAsync(DesiredState desired, CancellationToken stop)
    {
        if (state.Marker is null && await MarkAsync(stop) is { Length: > 0 } fault)
        {
            return fault;
        }

        foreach ((string pool, string backend, BackendOverride set) in desired.Overrides.All.Where(static o => IntentMerge.IsPending(o.Set)))
        {
            if (WeightOf(desired, pool, backend) is int weight && await ShareAsync(pool, backend, set, weight, stop) is { Length: > 0 } why)
            {
                return why;
            }
        }

        DateTimeOffset now = clock.GetUtcNow();
        foreach ((string pool, string backend, _) in state.Status.Intents.All.Where(i => i.Intent.IsSpent(now)))
        {
            if (await ReplaceAsync(pool, backend, null, state.IntentOf(pool, backend).Revision, stop) is { Length: > 0 } why)
            {
                return why;
            }
        }

        return "";
    }

    private async Task<string> ShareAsync(string pool, string backend, BackendOverride set, int fileWeight, CancellationToken stop)
    {
        (FleetIntent? there, long revision) = state.IntentOf(pool, backend);
        return IntentMerge.ToShare(set, there, fileWeight) is { } intent ? await ReplaceAsync(pool, backend, intent, revision, stop) : "";
    }

    // Where the key has changed meanwhile, what it holds now is taken over, and the next round decides anew.
    private async Task<string> ReplaceAsync(string pool, string backend, FleetIntent? intent, long revision, CancellationToken stop)
    {
        string key = keys.Intent(pool, backend);
        byte[] value = intent is null ? [] : IntentDocument.Write(intent);
        StoreResult<EtcdWritten> written = await client.CommitAsync(
            new EtcdTransaction
            {
                If = [EtcdCompare.ModifiedAt(key, revision)],
                Then = [intent is null ? EtcdOperation.Delete(key) : EtcdOperation.Put(key, value)],
                Else = [EtcdOperation.Get(key)],
            },
            stop);
        if (!written.IsOk)
        {
            return written.Fault;
        }

        if (!written.Value.Succeeded)
        {
            state.Wrote(key, written.Value.Found is [{ } found] ? found : null, written.Value.Revision);
        }
        else
        {
            long now = written.Value.Revision;
            state.Wrote(key, intent is null ? null : new EtcdEntry(key, value, now, now, 0), now);
        }

        return "";
    }

    private async Task<string> MarkAsync(CancellationToken stop)
    {
        byte[] value = System.Text.Encoding.UTF8.GetBytes(Guid.NewGuid().ToString("N"));
        StoreResult<EtcdWritten> written = await client.CommitAsync(
            new EtcdTransaction
            {
                If = [EtcdCompare.Missing(keys.Marker)],
                Then = [EtcdOperation.Put(keys.Marker, value)],
                Else = [EtcdOperation.Get(keys.Marker)],
            },
            stop);
        if (!written.IsOk)
        {
            return written.Fault;
        }

        EtcdEntry? entry = written.Value.Succeeded ? new EtcdEntry(keys.Marker, value, 0, 0, 0) : written.Value.Found is [{ } found] ? found : null;
        if (entry is not null)
        {
            state.Wrote(keys.Marker, entry, written.Value.Revision);
        }

        return "";
    }

    private static int? WeightOf(DesiredState desired, string pool, string backend) =>
        desired.Pools.FirstOrDefault(p => p.Name == pool)?.Backends.FirstOrDefault(b => b.Name == backend)?.Weight;
}
