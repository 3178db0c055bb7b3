namespace L4Balancer.Tests.CommandLine;

/// <summary>Commands whose output cannot be written say so in one line.</summary>
[Platform("Linux")]
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.All)]
internal sealed class UnwritableOutputTests
{
    [TestCase("exec \"$@\" > /dev/full", "l4balancer: the output cannot be written: No space left on device")]
    [TestCase("exec \"$@\" >&-", "l4balancer: the output cannot be written: it is closed")]
    public async Task A_full_disk_and_a_closed_output_are_one_line(string script, string expected)
    {
        await using DaemonProcess command = DaemonProcess.Start(new Dictionary<string, string>(), ["sh", "-c", script, "sh"], "--help");
        Assert.That(await command.ExitAsync(), Is.EqualTo(1));
        Assert.That(command.Errors, Is.EqualTo([expected]));
    }

    [Test]
    public async Task A_reader_that_has_gone_is_no_fault()
    {
        await using DaemonProcess command = DaemonProcess.Start(
            new Dictionary<string, string>(), ["sh", "-c", "\"$@\" | true", "sh"], "--help");
        Assert.That(await command.ExitAsync(), Is.Zero);
        Assert.That(command.Errors, Is.Empty);
    }
}
