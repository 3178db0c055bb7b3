using L4Balancer.Core.Addressing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Accounting;

/// <summary>
/// Connections and their rate by client, for one listener. A client is an IPv4 address or an IPv6 /64, the smallest network that is
/// assigned to one site (RFC 6177). Memory is bounded: if too many clients without a connection are remembered, those that have been
/// idle longest are removed, so that a flood from many addresses takes no more memory than this; and
/// the hash has a secret seed, so that chosen addresses do not meet in one bucket. Any thread.
/// </summary>
public sealed class ClientTable
{
    /// <summary>Maximum number of remembered clients without a connection, over all shards; takes about 6 MB.</summary>
    private const int MostAtRest = 65_536;

    private const int Shards = 64;
    private const int SourceBits = 64;

    private readonly Shard[] _shards;
    private readonly SeededAddressHash _hash;

    /// <param name="seed">Of the hash; drawn by the process, and not known to clients.</param>
    public ClientTable(ulong seed = 0)
    {
        _hash = new SeededAddressHash(seed);
        _shards = [.. Enumerable.Range(0, Shards).Select(_ => new Shard(_hash))];
    }

    /// <summary>Number of remembered clients.</summary>
    public int Count => _shards.Sum(s => s.Count);

    /// <summary>Counts one more connection of this client if its limits allow it.</summary>
    /// <param name="most">Maximum number of open connections; 0 means no limit.</param>
    /// <param name="rate">Maximum number of new connections per second, with bursts of up to one second's worth; 0 means no limit.</param>
    /// <returns>False if a limit is exceeded; the connection is then not counted.</returns>
    public bool TryEnter(HostAddress address, int most, int rate, Instant now) => WhyNot(address, most, rate, now) == LimitKind.None;

    /// <summary>As <see cref="TryEnter"/>.</summary>
    /// <returns>The limit that is exceeded; none if the connection is counted.</returns>
    public LimitKind WhyNot(HostAddress address, int most, int rate, Instant now) =>
        ShardOf(KeyOf(address)).WhyNot(KeyOf(address), most, rate, now);

    /// <summary>
    /// Counts one more connection of this client, whatever its limits: it is established already, and comes from another engine.
    /// </summary>
    public void Join(HostAddress address) => ShardOf(KeyOf(address)).Join(KeyOf(address));

    /// <summary>Counts the end of a connection for which <see cref="TryEnter"/> returned true, or that joined.</summary>
    public void Leave(HostAddress address) => ShardOf(KeyOf(address)).Leave(KeyOf(address));

    /// <summary>What counts as one client: an IPv4 address, or an IPv6 /64.</summary>
    internal static HostAddress KeyOf(HostAddress address) => address.IsV4 ? address : address.Masked(SourceBits);

    private Shard ShardOf(HostAddress key) => _shards[(uint)_hash.GetHashCode(key) % Shards];

    private sealed class Shard(SeededAddressHash hash)
    {
        private const int MostAtRestHere = MostAtRest / Shards;

        private readonly Lock _gate = new();
        private readonly Dictionary<HostAddress, Entry> _entries = new(hash);
        private int _atRest;

        public int Count
        {
            get
            {
                lock (_gate)
                {
                    return _entries.Count;
                }
            }
        }

        public LimitKind WhyNot(HostAddress key, int most, int rate, Instant now)
        {
            lock (_gate)
            {
                bool known = _entries.TryGetValue(key, out Entry entry);
                if (!known)
                {
                    entry = new Entry(0, rate, now);
                }

                entry = entry.Refilled(rate, now);
                LimitKind whyNot = most > 0 && entry.Open >= most ? LimitKind.Source
                    : rate > 0 && entry.Tokens < 1 ? LimitKind.SourceRate
                    : LimitKind.None;
                if (whyNot == LimitKind.None)
                {
                    _atRest -= known && entry.Open == 0 ? 1 : 0;
                    entry = entry with { Open = entry.Open + 1, Tokens = entry.Tokens - (rate > 0 ? 1 : 0) };
                }
                else if (!known)
                {
                    return whyNot;
                }

                _entries[key] = entry;
                return whyNot;
            }
        }

        // A client that was not known has all its tokens: the entry is as old as the clock.
        public void Join(HostAddress key)
        {
            lock (_gate)
            {
                bool known = _entries.TryGetValue(key, out Entry entry);
                _atRest -= known && entry.Open == 0 ? 1 : 0;
                _entries[key] = entry with { Open = entry.Open + 1 };
            }
        }

        public void Leave(HostAddress key)
        {
            lock (_gate)
            {
                if (!_entries.TryGetValue(key, out Entry entry))
                {
                    return;
                }

                _entries[key] = entry with { Open = entry.Open - 1 };
                if (entry.Open == 1 && ++_atRest > MostAtRestHere)
                {
                    Forget();
                }
            }
        }

        // Removes half of them at once, so that the cost of the pass over the table is amortised over as many calls of Leave.
        private void Forget()
        {
            int left = _atRest / 2;
            foreach ((HostAddress key, _) in _entries.Where(e => e.Value.Open == 0).OrderBy(e => e.Value.At.Ticks).Take(_atRest - left).ToArray())
            {
                _entries.Remove(key);
            }

            _atRest = left;
        }
    }

    private readonly record struct Entry(int Open, double Tokens, Instant At)
    {
        /// <summary>A token bucket that holds one second's worth of tokens, at least one.</summary>
        public Entry Refilled(int rate, Instant now) =>
            this with { Tokens = Math.Min(Math.Max(rate, 1), Tokens + ((now - At).TotalSeconds * rate)), At = now };
    }
}
