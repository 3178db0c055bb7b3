using System.Collections.Immutable;
using System.Globalization;
using L4Balancer.Core.Config;

namespace L4Balancer.Platform;

/// <summary>The kernel's limits of <c>send_buffer</c> and <c>receive_buffer</c>: net.core.wmem_max and rmem_max (socket(7)).</summary>
internal static class BufferLimits
{
    private const string Folder = "/proc/sys/net/core/";

    /// <returns>Warnings about sizes that this kernel will reduce, without a final full stop.</returns>
    public static ImmutableArray<string> Warnings(BalancerConfig config) => Warnings(config, Read("wmem_max"), Read("rmem_max"));

    /// <param name="mostSending">In bytes; null if it is not known.</param>
    /// <param name="mostReceiving">In bytes; null if it is not known.</param>
    internal static ImmutableArray<string> Warnings(BalancerConfig config, long? mostSending, long? mostReceiving)
    {
        IEnumerable<(string Place, ByteSize Send, ByteSize Receive)> all =
            config.Listeners.Select(l => ($"listener {l.Name}", l.SendBuffer, l.ReceiveBuffer))
                .Concat(config.Pools.Select(p => ($"pool {p.Name}", p.SendBuffer, p.ReceiveBuffer)));
        return
        [
            .. all.SelectMany(a => new[]
                {
                    Warning("send_buffer", a.Place, a.Send, "wmem_max", mostSending),
                    Warning("receive_buffer", a.Place, a.Receive, "rmem_max", mostReceiving),
                })
                .OfType<string>(),
        ];
    }

    private static string? Warning(string key, string place, ByteSize size, string limit, long? most) =>
        most is { } known && size.Bytes > known
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"{key} = \"{size}\" ({place}): the kernel reduces it to {known} bytes; sysctl net.core.{limit}={size.Bytes} allows it")
            : null;

    private static long? Read(string name)
    {
        try
        {
            return OperatingSystem.IsLinux()
                && long.TryParse(File.ReadAllText(Folder + name).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out long value)
                ? value : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
