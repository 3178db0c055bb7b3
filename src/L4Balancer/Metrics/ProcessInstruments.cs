using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.IO.Enumeration;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Metrics;

/// <summary>The standard <c>process_*</c> family (prometheus.io/docs/instrumenting/writing_clientlibs).</summary>
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
        meter.CreateObservableGauge(MetricNames.ProcessResidentMemory, () => Environment.WorkingSet, null, "Resident memory, in bytes.");
        meter.CreateObservableGauge(MetricNames.ProcessThreads, CountThreads, null, "Operating-system threads.");
        if (OperatingSystem.IsLinux())
        {
            meter.CreateObservableGauge(MetricNames.ProcessOpenDescriptors, Descriptors.CountOpen, null, "Open file descriptors.");
            meter.CreateObservableGauge(
                MetricNames.ProcessMaxDescriptors, ResourceLimits.DescriptorLimit, null, "The most file descriptors that may be open.");
        }
    }

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
