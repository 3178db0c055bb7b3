using System.Collections.Immutable;
using L4Balancer.Core.Inspection;

namespace L4Balancer.Core.Config;

/// <summary>The named fields of <c>hash_key</c> of all pools, kept until the listeners that supply them are known.</summary>
internal sealed class HashKeyReferences
{
    private readonly List<(string Pool, HashKeyField Field, Setting Setting)> _all = [];
    private readonly List<(HashKeyField Field, Setting Setting)> _ofPool = [];

    /// <summary>Adds a field of the pool that is being read.</summary>
    public void Add(HashKeyField field, Setting setting) => _ofPool.Add((field, setting));

    /// <summary>The pool that was being read is complete.</summary>
    public void Name(string pool)
    {
        _all.AddRange(_ofPool.Select(f => (pool, f.Field, f.Setting)));
        _ofPool.Clear();
    }

    /// <summary>
    /// A field that no listener of the pool reads would always be missing. If only some of them read it, the others' clients are hashed by the
    /// tuple, which may be meant.
    /// </summary>
    public void ReportUnread(ImmutableArray<ListenerSettings> listeners)
    {
        if (_all.Count == 0)
        {
            return;
        }

        ILookup<string, InspectKind> kinds = listeners
            .SelectMany(static l => l.Routes.Select(static r => r.Pool).Append(l.Pool).Distinct(), static (l, pool) => (Pool: pool, l.Inspect))
            .ToLookup(static l => l.Pool, static l => l.Inspect);
        HashSet<string> mixed = [.. _all.GroupBy(static f => f.Pool).Where(static g => g.Any(IsTls) && g.Any(IsHttp)).Select(static g => g.Key)];
        foreach ((string pool, HashKeyField field, Setting setting) in _all)
        {
            InspectKind needed = field.NeedsTls ? InspectKind.Tls : InspectKind.Http;
            if (mixed.Contains(pool))
            {
                setting.Errors.AddIfWhole(
                    setting.Position, setting.Key, "would always be missing: a connection has either a server name or an HTTP request; leave one out");
            }
            else if (kinds.Contains(pool) && !kinds[pool].Contains(needed))
            {
                setting.Errors.AddIfWhole(
                    setting.Position, setting.Key,
                    $"is read by no listener of this pool; set inspect = \"{(field.NeedsTls ? "tls" : "http")}\" at one of them");
            }
        }
    }

    private static bool IsTls((string Pool, HashKeyField Field, Setting Setting) reference) => reference.Field.NeedsTls;

    private static bool IsHttp((string Pool, HashKeyField Field, Setting Setting) reference) => reference.Field.NeedsHttp;
}
