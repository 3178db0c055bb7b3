using System.ComponentModel;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.IO.Enumeration;
using System.Runtime.Versioning;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Metrics;

/// <summary>
/// The standard <c>process_*</c> family (prometheus.io/docs/instrumenting/writing_clientlibs). Some are read from /proc, which takes a descriptor: when
/// the process has none left, these are absent from the scrape, and all other metrics are there.
/// </summary>
internal sealed class ProcessInstruments
{
    private const string ThreadFolder = "/proc/self/task";

    public ProcessInstruments(Meter meter)
    {
        using var process = Process.GetCurrentProcess();
        double started = new DateTimeOffset(process.StartTime.ToUniversalTime()).ToUnixTimeMilliseconds() / 1000.0;
        meter.CreateObservableGauge(MetricNames.ProcessStartTime, () => started, null, "When the process started, in seconds since 1970.");
        meter.CreateObservableCounter(
            MetricNames.ProcessCpuSeconds, () => Environment.CpuUsage.TotalTime.TotalSeconds, null,
            "User and system CPU time spent, in seconds.");
        meter.CreateObservableGauge(MetricNames.ProcessResidentMemory, () => Readable(ResidentMemory), null, "Resident memory, in bytes.");
        meter.CreateObservableGauge(MetricNames.ProcessThreads, () => Readable(CountThreads), null, "Operating-system threads.");
        if (OperatingSystem.IsLinux())
        {
            CreateDescriptorInstruments(meter);
        }
    }

    [SupportedOSPlatform("linux")]
    private static void CreateDescriptorInstruments(Meter meter)
    {
        meter.CreateObservableGauge(MetricNames.ProcessOpenDescriptors, OpenDescriptors, null, "Open file descriptors.");
        meter.CreateObservableGauge(
            MetricNames.ProcessMaxDescriptors, ResourceLimits.DescriptorLimit, null, "The most file descriptors that may be open.");
    }

    [SupportedOSPlatform("linux")]
    private static IEnumerable<Measurement<long>> OpenDescriptors() => Readable(Descriptors.CountOpen);

    /// <summary>One measurement, or none if it cannot be read now: an exception would take the whole scrape away.</summary>
    internal static IEnumerable<Measurement<long>> Readable(Func<long> read)
    {
        try
        {
            return [new Measurement<long>(read())];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidOperationException or Win32Exception)
        {
            return [];
        }
    }

    // The framework reports 0 where /proc cannot be read.
    private static long ResidentMemory() =>
        Environment.WorkingSet is > 0 and long bytes ? bytes : throw new IOException("the resident memory cannot be read");

    private static long CountThreads()
    {
        if (OperatingSystem.IsLinux())
        {
            return new FileSystemEnumerable<byte>(ThreadFolder, static (ref FileSystemEntry _) => 0).LongCount();
        }

        using var process = Process.GetCurrentProcess();
        return process.Threads.Count;
    }
}
