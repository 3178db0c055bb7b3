using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Linux;

/// <summary>How open descriptors are counted; on Linux 6.2 and later without reading an entry for each.</summary>
[Platform("Linux")]
[System.Runtime.Versioning.SupportedOSPlatform("linux")]
[NonParallelizable]
internal sealed class DescriptorsTests
{
    private const int More = 300;

    private static bool KernelReports => Environment.OSVersion.Version >= new Version(6, 2);

    [Test]
    public async Task The_count_is_that_of_the_entries_of_proc()
    {
        // The kernel also counts numbers that are taken by a call in progress: the runtime's debugger waits in open(2) of a FIFO.
        Assert.That(Descriptors.CountOpen() - Descriptors.CountEntries(), Is.InRange(0, 2));
        List<WakeUp> opened = [];

        // Other threads of the test process open and close descriptors: two looks are compared when both kinds of counting agree.
        await Patience.Until(
            () =>
            {
                opened.ForEach(o => o.Dispose());
                (long counted, long entries) = (Descriptors.CountOpen(), Descriptors.CountEntries());
                opened = [.. Enumerable.Range(0, More).Select(_ => new WakeUp())];
                return (Descriptors.CountOpen() - counted, Descriptors.CountEntries() - entries) == (More, More);
            },
            "both see what was opened");
        opened.ForEach(o => o.Dispose());
    }

    [Test]
    public void Counting_reads_no_entries_where_the_kernel_reports_the_number()
    {
        if (!KernelReports)
        {
            Assert.Ignore("the size of /proc/self/fd is reported since Linux 6.2");
        }

        // A walk of the folder allocates its enumerator, a path and a buffer.
        _ = Descriptors.CountOpen();
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            _ = Descriptors.CountOpen();
        }

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - allocated, Is.Zero);
    }

    [Test]
    public unsafe void The_layout_of_statx_is_that_of_the_kernel()
    {
        string file = Path.GetTempFileName();
        File.WriteAllBytes(file, new byte[4321]);
        Libc.StatX status = default;
        fixed (byte* path = System.Text.Encoding.UTF8.GetBytes(file + "\0"))
        {
            Assert.That(Libc.statx(Libc.AT_FDCWD, path, 0, Libc.STATX_SIZE, &status), Is.Zero);
        }

        File.Delete(file);
        Assert.That(sizeof(Libc.StatX), Is.EqualTo(256));
        Assert.That(status.stx_mask & Libc.STATX_SIZE, Is.EqualTo(Libc.STATX_SIZE));
        Assert.That(status.stx_size, Is.EqualTo(4321));
    }
}
