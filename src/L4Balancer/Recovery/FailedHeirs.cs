using System.Globalization;
using L4Balancer.Core.Timing;

namespace L4Balancer.Recovery;

/// <summary>
/// Counts the daemons that have begun to take over connections and have ended before they were done, in a small file beside the ledgers.
/// Where the connections themselves are what ends each of them, the next one resets them all instead. One thread at a time; never throws.
/// </summary>
internal sealed class FailedHeirs(string path)
{
    private const int MostFailures = 3;
    private const int LargestFile = 4096;

    private static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    /// <summary>A daemon begins to take over.</summary>
    /// <returns>Whether three others have failed at it within the last minute.</returns>
    public bool Begin(Instant now)
    {
        long[] begun = [.. Read().Where(at => at <= now.Ticks && new Instant(at) + Window > now)];
        Write([.. begun, now.Ticks]);
        return begun.Length >= MostFailures;
    }

    /// <summary>It is done: those that failed before no longer count.</summary>
    public void Done()
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What lies there is out of date within a minute.
        }
    }

    private long[] Read()
    {
        try
        {
            return new FileInfo(path) is { Exists: true, Length: <= LargestFile, LinkTarget: null }
                ? [.. File.ReadAllLines(path).Select(static l => long.TryParse(l, NumberStyles.None, CultureInfo.InvariantCulture, out long at) ? at : 0)]
                : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private void Write(long[] begun)
    {
        try
        {
            File.WriteAllLines(path, begun.Select(static at => at.ToString(CultureInfo.InvariantCulture)));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A full file system: nothing is counted, and each daemon tries.
        }
    }
}
