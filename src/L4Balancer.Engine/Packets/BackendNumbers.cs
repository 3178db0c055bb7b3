using System.Buffers.Binary;
using System.Text;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Packets;

/// <summary>
/// Which backend has which number. Flows and counters know a backend by its number alone, so that numbers have to outlive processes: they lie in a map that
/// only processes read. A backend that is no longer a target keeps its number and its address for the flows that it has, until a new one needs the
/// number. One thread at a time.
/// </summary>
internal sealed class BackendNumbers
{
    /// <summary>Name of the map.</summary>
    public const string MapName = "numbers";

    /// <summary>
    /// Bytes of a value: state, length of the identity, way of forwarding, 5 of zero, hash of the listener's name, time of leaving, address, identity.
    /// </summary>
    public const int Value = 256;

    /// <summary>For how long a backend that has left keeps its number, unless another needs it.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromHours(1);

    private const int ForwardAt = 2;
    private const int ListenerAt = 8;
    private const int LeftAt = 16;
    private const int AddressAt = 24;
    private const int IdentityAt = 40;

    private readonly int _map;
    private readonly Entry[] _entries;
    private readonly Dictionary<(ulong Listener, string Identity), int> _byIdentity = [];

    private BackendNumbers(int map, int count)
    {
        _map = map;
        _entries = new Entry[count];
    }

    private enum State : byte
    {
        Free,
        Used,
        Left,
    }

    /// <summary>Reads what the map holds.</summary>
    /// <param name="map">An array map of <paramref name="count"/> values of <see cref="Value"/> bytes.</param>
    public static BackendNumbers Read(int map, int count)
    {
        var numbers = new BackendNumbers(map, count);
        byte[] value = new byte[Value];
        for (int i = 0; i < count; i++)
        {
            if (Bpf.Lookup(map, BitConverter.GetBytes(i), value) == Errno.None && (State)value[0] is State.Used or State.Left)
            {
                Entry entry = Entry.Parse(value);
                numbers._entries[i] = entry;
                numbers._byIdentity[(entry.Listener, entry.Identity)] = i;
            }
        }

        return numbers;
    }

    /// <summary>FNV-1a of a listener's name.</summary>
    public static ulong HashOf(string listener)
    {
        ulong hash = 0xcbf29ce484222325;
        foreach (byte b in Encoding.UTF8.GetBytes(listener))
        {
            hash = (hash ^ b) * 0x100000001b3;
        }

        return hash;
    }

    /// <summary>Finds the number of a backend, or gives it one: a free one, otherwise that of the backend that left first.</summary>
    /// <param name="isNew">Whether the number was another's, or nobody's: its counters are to begin at zero.</param>
    /// <returns>-1: every number is used.</returns>
    public int Take(string listener, PacketTarget target, PacketForward forward, out bool isNew)
    {
        (ulong, string) identity = (HashOf(listener), target.Identity);
        isNew = !_byIdentity.TryGetValue(identity, out int number);
        if (isNew && (number = FindFree()) < 0)
        {
            return -1;
        }

        if (isNew && _entries[number].State == State.Left)
        {
            _byIdentity.Remove((_entries[number].Listener, _entries[number].Identity));
        }

        _byIdentity[identity] = number;
        Set(number, new Entry(State.Used, identity.Item1, 0, target.Address, forward, target.Identity));
        return number;
    }

    /// <summary>Marks all those as left that are used and not among these.</summary>
    /// <returns>Those that left long ago, whose numbers are free now.</returns>
    public IReadOnlyList<int> LeaveOthers(IReadOnlySet<int> used, DateTimeOffset now)
    {
        List<int> freed = [];
        for (int i = 0; i < _entries.Length; i++)
        {
            Entry entry = _entries[i];
            if (entry.State == State.Used && !used.Contains(i))
            {
                Set(i, entry with { State = State.Left, Left = now.ToUnixTimeSeconds() });
            }
            else if (entry.State == State.Left && now.ToUnixTimeSeconds() - entry.Left >= Patience.TotalSeconds)
            {
                _byIdentity.Remove((entry.Listener, entry.Identity));
                Set(i, new Entry(State.Free, 0, 0, default, default, ""));
                freed.Add(i);
            }
        }

        return freed;
    }

    /// <summary>The backends that have left, whose flows may go on: number, address and way.</summary>
    public IEnumerable<(int Number, HostAddress Address, PacketForward Forward)> LeftOnes() =>
        _entries.Index().Where(e => e.Item.State == State.Left).Select(e => (e.Index, e.Item.Address, e.Item.Forward));

    private int FindFree()
    {
        int best = -1;
        for (int i = 0; i < _entries.Length; i++)
        {
            if (_entries[i].State == State.Free)
            {
                return i;
            }

            if (_entries[i].State == State.Left && (best < 0 || _entries[i].Left < _entries[best].Left))
            {
                best = i;
            }
        }

        return best;
    }

    private void Set(int number, Entry entry)
    {
        if (_entries[number] != entry)
        {
            _entries[number] = entry;
            byte[] value = new byte[Value];
            entry.WriteTo(value);
            _ = Bpf.Update(_map, BitConverter.GetBytes(number), value);
        }
    }

    private readonly record struct Entry(State State, ulong Listener, long Left, HostAddress Address, PacketForward Forward, string Identity)
    {
        public static Entry Parse(ReadOnlySpan<byte> value) => new(
            (State)value[0],
            BinaryPrimitives.ReadUInt64LittleEndian(value[ListenerAt..]),
            BinaryPrimitives.ReadInt64LittleEndian(value[LeftAt..]),
            HostAddress.FromV6(value.Slice(AddressAt, 16)),
            (PacketForward)value[ForwardAt],
            Encoding.UTF8.GetString(value.Slice(IdentityAt, Math.Min((int)value[1], PacketTarget.LongestIdentity))));

        public void WriteTo(Span<byte> value)
        {
            value[0] = (byte)State;
            value[ForwardAt] = (byte)Forward;
            value[1] = (byte)Encoding.UTF8.GetBytes(Identity, value[IdentityAt..]);
            BinaryPrimitives.WriteUInt64LittleEndian(value[ListenerAt..], Listener);
            BinaryPrimitives.WriteInt64LittleEndian(value[LeftAt..], Left);
            Address.WriteTo(value[AddressAt..]);
        }
    }
}
