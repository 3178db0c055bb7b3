using L4Balancer.Engine.Linux;

namespace L4Balancer.Upgrade;

/// <summary>The kinds of messages, in the order in which they are sent. The numbers are part of the protocol.</summary>
internal enum UpgradeMessageKind : byte
{
    None = 0,

    /// <summary>Both ways: <see cref="UpgradeHello"/>.</summary>
    Hello = 1,

    /// <summary>Old to new: <see cref="UpgradePreparation"/>.</summary>
    Prepare = 2,

    /// <summary>New to old: everything is built that does not listen.</summary>
    Prepared = 3,

    /// <summary>Old to new: <see cref="UpgradeState"/>, with the descriptors of the listening sockets.</summary>
    State = 4,

    /// <summary>New to old: every listening socket is served by both now.</summary>
    Serving = 5,

    /// <summary>Old to new: <see cref="UpgradeSlice"/>, with the descriptors of its connections.</summary>
    Slice = 6,

    /// <summary>New to old: <see cref="SliceAnswer"/>.</summary>
    Answer = 7,

    /// <summary>Old to new: the connections of the slice that were taken are the new process's alone.</summary>
    Commit = 8,

    /// <summary>
    /// Old to new: <see cref="UpgradeRest"/>; nothing that is established is left to move. With the second one the new process is the main one; further
    /// ones follow while connections end in the old one.
    /// </summary>
    Rest = 9,

    /// <summary>New to old: <see cref="SliceAnswer"/> about all slices, and that what came with the first <see cref="Rest"/> is in force.</summary>
    Settled = 10,

    /// <summary>Old to new: <see cref="UpgradeRest"/>; the old process ends after it.</summary>
    Done = 11,

    /// <summary>Both ways, at any time: why the sender gives up, as text.</summary>
    Fault = 12,
}

/// <summary>One message. What it brought and nobody took (<see cref="TakeDescriptors"/>) is closed when it is disposed.</summary>
/// <param name="lacksDescriptors">This process had no place for all of them: there are none.</param>
internal sealed class UpgradeMessage(UpgradeMessageKind kind, ReadOnlyMemory<byte> body, List<int> descriptors, bool lacksDescriptors) : IDisposable
{
    private IReadOnlyList<int> _descriptors = descriptors;

    public UpgradeMessageKind Kind => kind;

    public ReadOnlySpan<byte> Body => body.Span;

    public bool LacksDescriptors => lacksDescriptors;

    /// <summary>How many came.</summary>
    public int Descriptors => _descriptors.Count;

    /// <summary>They are the caller's from then on.</summary>
    public IReadOnlyList<int> TakeDescriptors()
    {
        IReadOnlyList<int> taken = _descriptors;
        _descriptors = [];
        return taken;
    }

    public void Dispose()
    {
        if (OperatingSystem.IsLinux())
        {
            foreach (int descriptor in TakeDescriptors())
            {
                PacketPair.Close(descriptor);
            }
        }
    }
}
