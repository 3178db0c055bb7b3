using Microsoft.Extensions.Logging;

namespace L4Balancer.Engine.Packets;

/// <summary>What a packet plane is created with.</summary>
public sealed record PacketPlaneOptions
{
    /// <summary>Where systemd mounts the file system of BPF.</summary>
    public const string FileSystem = "/sys/fs/bpf";

    /// <summary>The directory of all instances of this daemon in it.</summary>
    public const string DefaultRoot = FileSystem + "/l4balancer";

    /// <summary>
    /// The directory of this instance, on a file system of the type bpf: it holds what keeps program and maps when this process is gone. It is made with
    /// mode 0700 if it is not there, its parent too. No other instance may have it; one that has it already is taken over. Such file systems allow no
    /// dots in names.
    /// </summary>
    public required string Folder { get; init; }

    public required ILoggerFactory Loggers { get; init; }

    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>The ways to attach that are tried, in this order; null: as <see cref="Attachment.Attach"/> says.</summary>
    internal IReadOnlyList<AttachMode>? Modes { get; init; }

    /// <summary>For how long a number of flows is used before they are counted again.</summary>
    internal TimeSpan FlowCountAge { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How often the addresses of backends are asked for, and interfaces looked at, so that a change without notice is found.</summary>
    internal TimeSpan NeighbourInterval { get; init; } = TimeSpan.FromSeconds(5);
}

/// <summary>Where a program gets the packets of an interface.</summary>
internal enum AttachMode
{
    /// <summary>XDP in the driver, before the kernel makes a buffer for the packet.</summary>
    Native,

    /// <summary>XDP in the kernel's network stack, with every driver.</summary>
    Generic,

    /// <summary>tc(8) by a BPF link, since Linux 6.6.</summary>
    Tcx,

    /// <summary>tc(8) by a classifier of the queueing discipline clsact.</summary>
    Classifier,
}

/// <summary>The kernel does not forward packets as asked; the message says why, and the mend.</summary>
public sealed class PacketFaultException : Exception
{
    public PacketFaultException()
    {
    }

    public PacketFaultException(string message)
        : base(message)
    {
    }

    public PacketFaultException(string message, Exception inner)
        : base(message, inner)
    {
    }
}
