using System.Runtime.Versioning;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Packets;

/// <summary>The maps of an interface and what lies beside them: the numbers of the backends. Pinned, so that they outlive this process.</summary>
[SupportedOSPlatform("linux")]
internal sealed class MapSet : IDisposable
{
    private readonly int _numbersMap;

    private MapSet(PacketMaps maps, int numbersMap, bool isNew)
    {
        Maps = maps;
        _numbersMap = numbersMap;
        IsNew = isNew;
        Numbers = BackendNumbers.Read(numbersMap, maps.Limits.Backends);
    }

    public PacketMaps Maps { get; }

    public BackendNumbers Numbers { get; }

    /// <summary>Whether these are pinned as those that are not in force yet.</summary>
    public bool IsNew { get; private set; }

    public PacketLimits Limits => Maps.Limits;

    /// <summary>Opens what a process before has left.</summary>
    /// <returns>Null: there is nothing of this layout.</returns>
    public static MapSet? TryOpen(PinFolder folder)
    {
        if (folder.FindMaps() is not { } found)
        {
            return null;
        }

        PacketMaps? maps = PacketMaps.TryCreate(found.Limits, out _, n => Bpf.OpenPin(Path.Combine(found.Path, n)));
        SysResult numbers = maps is null ? default : Bpf.OpenPin(Path.Combine(found.Path, BackendNumbers.MapName));
        if (maps is null || numbers.IsError)
        {
            maps?.Dispose();
            return null;
        }

        return new MapSet(maps, numbers.Value, found.Path == folder.NewMaps);
    }

    /// <summary>Makes maps of this size and pins them as new.</summary>
    /// <param name="before">Whose flows, counters and numbers go on in these; null: they are empty.</param>
    /// <exception cref="PacketFaultException">The kernel makes none.</exception>
    public static MapSet Create(PinFolder folder, PacketLimits limits, MapSet? before)
    {
        PacketMaps maps = PacketMaps.TryCreate(limits, out Errno fault)
            ?? throw new PacketFaultException($"interface {folder.Interface}: no maps can be made ({fault}): {KernelNeeds.Mend(fault)}");
        SysResult numbers = Bpf.CreateMap(Libc.BPF_MAP_TYPE_ARRAY, sizeof(int), BackendNumbers.Value, limits.Backends);
        fault = numbers.IsError ? numbers.Errno : folder.PinNew([.. maps.All, (BackendNumbers.MapName, numbers.Value)], limits);
        if (fault != Errno.None)
        {
            maps.Dispose();
            TcpSocket.Close(numbers.Value);
            throw new PacketFaultException(
                $"interface {folder.Interface}: the maps cannot be pinned in {folder.NewMaps} ({fault}): {KernelNeeds.Mend(fault)}");
        }

        before?.CopyTo(maps, numbers.Value);
        return new MapSet(maps, numbers.Value, isNew: true);
    }

    /// <summary>A program uses them from now on.</summary>
    public void PutInForce(PinFolder folder)
    {
        if (IsNew)
        {
            folder.PutNewInForce();
            IsNew = false;
        }
    }

    /// <summary>Flows that have begun since they were copied.</summary>
    public void CopyNewFlowsTo(PacketMaps later)
    {
        if (Limits.Flows == 0 || later.Limits.Flows == 0)
        {
            return;
        }

        _ = Bpf.Walk(Maps.Flows, KeyHashCode.TupleLength, PacketMaps.FlowValue, (keys, values, count) =>
        {
            for (int i = 0; i < count; i++)
            {
                _ = Bpf.Insert(
                    later.Flows, keys.Slice(i * KeyHashCode.TupleLength, KeyHashCode.TupleLength),
                    values.Slice(i * PacketMaps.FlowValue, PacketMaps.FlowValue));
            }
        });
    }

    public void Dispose()
    {
        Maps.Dispose();
        TcpSocket.Close(_numbersMap);
    }

    private void CopyTo(PacketMaps later, int laterNumbers)
    {
        int backends = Math.Min(Limits.Backends, later.Limits.Backends);
        CopyArray(_numbersMap, laterNumbers, backends, BackendNumbers.Value);
        CopyArray(Maps.Backends, later.Backends, backends, PacketMaps.BackendValue);
        CopyArray(Maps.Counts, later.Counts, backends, 2 * sizeof(long) * Bpf.PossibleProcessors);
        CopyArray(Maps.Dropped, later.Dropped, Enum.GetValues<PacketDrop>().Length, sizeof(long) * Bpf.PossibleProcessors);
        PreviousTables.Copy(Maps, later);
        CopyNewFlowsTo(later);
    }

    private static void CopyArray(int from, int to, int count, int size)
    {
        byte[] value = new byte[size];
        for (int i = 0; i < count; i++)
        {
            byte[] key = BitConverter.GetBytes(i);
            if (Bpf.Lookup(from, key, value) == Errno.None && value.AsSpan().ContainsAnyExcept((byte)0))
            {
                _ = Bpf.Update(to, key, value);
            }
        }
    }
}
