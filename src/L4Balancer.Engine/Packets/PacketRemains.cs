using System.Runtime.Versioning;
using L4Balancer.Engine.Linux;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Engine.Packets;

/// <summary>Takes out of the kernel what is pinned, whichever process has put it there.</summary>
[SupportedOSPlatform("linux")]
internal static class PacketRemains
{
    /// <summary>Detaches and removes what an interface has.</summary>
    /// <returns>Null, or what could not be removed, as text for a log.</returns>
    public static string? Remove(PinFolder folder, NetlinkSocket netlink, ILogger? logger)
    {
        string? fault;
        try
        {
            Errno error = Attachment.RemoveFrom(folder, netlink);
            fault = error == Errno.None ? null : $"{folder.Link}: {error}";
            folder.Remove();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            fault = e.Message.TrimEnd('.');
        }

        if (fault is null)
        {
            logger?.PacketsNoLongerTaken(folder.Interface);
        }
        else
        {
            logger?.PacketsNotRemoved(folder.Interface, fault);
        }

        return fault;
    }

    /// <summary>Detaches and removes everything that the directory of an instance has, and the directory.</summary>
    /// <returns>As <see cref="Remove"/>.</returns>
    public static string? RemoveAll(string folder)
    {
        if (!Directory.Exists(folder))
        {
            return null;
        }

        using NetlinkSocket? netlink = NetlinkSocket.TryOpen(0, out Errno error);
        if (netlink is null)
        {
            return $"netlink socket: {error}";
        }

        string?[] faults = [.. PinFolder.In(folder).Select(f => Remove(f, netlink, null)), RemoveFolder(folder)];
        return faults.Any(f => f is not null) ? string.Join("; ", faults.Where(f => f is not null)) : null;
    }

    /// <summary>Removes the directory of an instance once nothing is in it.</summary>
    public static string? RemoveFolder(string folder)
    {
        try
        {
            Directory.Delete(folder);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return e.Message.TrimEnd('.');
        }
    }
}
