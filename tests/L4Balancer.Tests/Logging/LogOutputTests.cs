using System.Text;
using L4Balancer.Core.Config;
using L4Balancer.Logging;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Tests.Logging;

internal sealed class LogOutputTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    [Test]
    public void Lines_come_out_in_order_and_all_of_them_before_the_end()
    {
        using var stream = new MemoryStream();
        using (var output = new LogOutput(stream, LogFormat.Text, TimeProvider.System))
        {
            for (int i = 0; i < 1000; i++)
            {
                output.Write($"line {i}");
            }
        }

        Assert.That(Encoding.UTF8.GetString(stream.ToArray()), Is.EqualTo(string.Concat(Enumerable.Range(0, 1000).Select(i => $"line {i}\n"))));
    }

    [Test]
    public void A_reader_that_stops_costs_lines_and_never_the_writer()
    {
        using var stream = new StalledStream();
        using var output = new LogOutput(stream, LogFormat.Text, TimeProvider.System);
        output.Write("first");
        Assert.That(stream.Stalled.Wait(Deadline), Is.True);
        for (int i = 0; i < 5000; i++)
        {
            output.Write("more");
        }

        stream.Resume.Set();
        Assert.That(SpinWait.SpinUntil(() => stream.Text.Contains("dropped here", StringComparison.Ordinal), Deadline), Is.True);
        Assert.That(stream.Text, Does.Contain($"warning {5000 - 4096} log lines were dropped here"));
        Assert.That(stream.Text.Split('\n').Count(l => l == "more"), Is.EqualTo(4096));
    }

    private static IEnumerable<Exception> Faults() => [new IOException("no space left on device"), new InvalidOperationException("no space left on device")];

    [TestCaseSource(nameof(Faults))]
    public void A_fault_of_the_output_does_not_end_the_log_and_what_it_cost_is_logged(Exception fault)
    {
        using var stream = new StalledStream { Fault = fault };
        using var output = new LogOutput(stream, LogFormat.Text, TimeProvider.System);
        stream.Resume.Set();
        output.Write("lost");
        Assert.That(SpinWait.SpinUntil(() => stream.Fault is null, Deadline), Is.True);
        output.Write("kept");
        Assert.That(SpinWait.SpinUntil(() => stream.Text.EndsWith("kept\n", StringComparison.Ordinal), Deadline), Is.True, stream.Text);
        Assert.That(stream.Text, Does.Contain("warning 1 log lines were lost here: the output failed (no space left on device)\nkept\n"));
        output.Write("more");
        Assert.That(SpinWait.SpinUntil(() => stream.Text.EndsWith("kept\nmore\n", StringComparison.Ordinal), Deadline), Is.True, stream.Text);
    }

    /// <summary>Much is logged in the handler of an exception, and on threads of its own: a second exception would end the process.</summary>
    [Test]
    public void A_line_that_cannot_be_made_is_counted_and_throws_nothing()
    {
        using var stream = new StalledStream();
        stream.Resume.Set();
        using var output = new LogOutput(stream, LogFormat.Text, TimeProvider.System);
        using ILoggerFactory factory = LogSetup.CreateFactory(output, Core.Config.LogLevel.Info, TimeProvider.System);
        ILogger log = factory.CreateLogger("test");
        log.Log(Microsoft.Extensions.Logging.LogLevel.Error, new EventId(1), "state", null, (_, _) => throw new InvalidOperationException());
        output.Write("kept");
        Assert.That(SpinWait.SpinUntil(() => stream.Text.Contains("warning 1 log lines were dropped here", StringComparison.Ordinal), Deadline), Is.True);
        Assert.That(stream.Text, Does.Contain("kept\n"));
    }

    private sealed class StalledStream : Stream
    {
        private readonly StringBuilder _text = new();

        public ManualResetEventSlim Stalled { get; } = new();

        public ManualResetEventSlim Resume { get; } = new();

        /// <summary>Thrown by the next write, once.</summary>
        public Exception? Fault { get; set; }

        public string Text
        {
            get
            {
                lock (_text)
                {
                    return _text.ToString();
                }
            }
        }

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            Stalled.Set();
            Resume.Wait();
            if (Fault is Exception fault)
            {
                Fault = null;
                throw fault;
            }

            lock (_text)
            {
                _text.Append(Encoding.UTF8.GetString(buffer));
            }
        }

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            Resume.Set();
            base.Dispose(disposing);
        }
    }
}
