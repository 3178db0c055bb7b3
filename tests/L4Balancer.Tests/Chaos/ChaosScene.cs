using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace L4Balancer.Tests.Chaos;

/// <summary>What everything that takes part in a run shares. Any thread.</summary>
internal sealed class ChaosScene(
    ChaosOptions options, Site site, ConfigWriter configs, Ledger ledger, DaemonProcess daemon, ChaosBackend[] backends) : IDisposable
{
    /// <summary>How long after a shortage of descriptors a request may still fail for it.</summary>
    private static readonly TimeSpan Aftermath = TimeSpan.FromSeconds(3);

    private const int DescriptorLimit = 7; // RLIMIT_NOFILE, asm-generic/resource.h

    private readonly ConcurrentDictionary<string, int> _counts = new();
    private long _shortAt = long.MinValue;
    private volatile bool _isShort;

    public ChaosOptions Options => options;

    public Site Site => site;

    public ConfigWriter Configs => configs;

    public Ledger Ledger => ledger;

    public Violations Violations => ledger.Violations;

    public DaemonProcess Daemon => daemon;

    public IReadOnlyList<ChaosBackend> Backends => backends;

    /// <summary>Held by what changes the configuration or a backend through the API.</summary>
    public SemaphoreSlim Changes { get; } = new(1, 1);

    /// <summary>Descriptors are short, or were a moment ago: a request may fail for that.</summary>
    public bool MayLackDescriptors =>
        _isShort || (Volatile.Read(ref _shortAt) is not long.MinValue and long at && Stopwatch.GetElapsedTime(at) < Aftermath);

    /// <summary>How often what was done, by name.</summary>
    public IEnumerable<(string What, int Count)> Counts =>
        _counts.OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => (c.Key, c.Value));

    public void Count(string what) => _counts.AddOrUpdate(what, 1, static (_, count) => count + 1);

    public Random RandomFor(string who) => new(HashOf(options.Seed, who));

    public int OpenDescriptors => Directory.EnumerateFileSystemEntries(DescriptorFolder).Count();

    /// <summary>Sockets of the daemon, of whatever kind.</summary>
    public int OpenSockets => Directory.EnumerateFileSystemEntries(DescriptorFolder).Count(IsSocket);

    /// <summary>Lets the daemon open hardly any more descriptors for a while, or less than it has.</summary>
    public async Task SqueezeAsync(int more, TimeSpan time)
    {
        var none = new Limit();
        if (ReadLimit(daemon.Id, DescriptorLimit, 0, ref none) != 0)
        {
            return;
        }

        Limit before = none;
        var few = new Limit { Soft = (ulong)Math.Max(1, OpenDescriptors + more), Hard = before.Hard };
        _isShort = true;
        try
        {
            _ = SetLimit(daemon.Id, DescriptorLimit, ref few, 0);
            await Task.Delay(time);
        }
        finally
        {
            int result = SetLimit(daemon.Id, DescriptorLimit, ref before, 0);
            Volatile.Write(ref _shortAt, Stopwatch.GetTimestamp());
            _isShort = false;
            if (result != 0)
            {
                Violations.Add($"the descriptor limit of the daemon could not be restored: errno {Marshal.GetLastPInvokeError()}");
            }
        }
    }

    public void Dispose() => Changes.Dispose();

    private string DescriptorFolder => $"/proc/{daemon.Id}/fd";

    private static bool IsSocket(string descriptor)
    {
        try
        {
            return new FileInfo(descriptor).LinkTarget?.StartsWith("socket:", StringComparison.Ordinal) == true;
        }
        catch (IOException)
        {
            // Closed meanwhile.
            return false;
        }
    }

    // FNV-1a: the same in every process, unlike string.GetHashCode.
    private static int HashOf(int seed, string text)
    {
        uint hash = 2_166_136_261;
        foreach (char letter in text)
        {
            hash = (hash ^ letter) * 16_777_619;
        }

        return unchecked((int)((hash ^ (uint)seed) * 2_654_435_761));
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Limit
    {
        public ulong Soft;
        public ulong Hard;
    }

    [DllImport("libc", EntryPoint = "prlimit", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SetLimit(int pid, int resource, ref Limit limit, nint old);

    [DllImport("libc", EntryPoint = "prlimit", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int ReadLimit(int pid, int resource, nint limit, ref Limit old);
}
