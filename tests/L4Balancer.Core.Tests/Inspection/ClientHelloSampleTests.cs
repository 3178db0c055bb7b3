using System.Net;
using L4Balancer.Core.Inspection;
using static L4Balancer.Core.Tests.Inspection.HelloSamples;

namespace L4Balancer.Core.Tests.Inspection;

/// <summary>The parser against what TLS clients really send, and against what nginx and HAProxy read in it.</summary>
internal sealed class ClientHelloSampleTests
{
    // Large enough for samples of 19 KB cut into records of one byte.
    private const int Ample = 256 * 1024;

    [Test]
    public void Name_is_the_one_on_which_nginx_and_HAProxy_agree()
    {
        Sample[] agreed = [.. Required().Where(s => s.Name is not null)];
        Assert.That(agreed.Count(s => s.Name!.Length > 0), Is.Positive, "samples with a name");
        using (Assert.EnterMultipleScope())
        {
            foreach (Sample sample in agreed)
            {
                Assert.That(Answer.OfHello(sample.Bytes).Name, Is.EqualTo(Ours(sample.Name!)), sample.File);
            }
        }
    }

    [Test]
    public void Protocols_are_those_that_nginx_reads()
    {
        Sample[] parsed = [.. Required().Where(s => s is { Name: not null, Alpn: not null })
            .Where(s => Answer.OfHello(s.Bytes).Outcome == InspectionOutcome.Parsed)];
        Assert.That(parsed.Count(s => s.Alpn!.Length > 0), Is.Positive, "samples with ALPN");
        using (Assert.EnterMultipleScope())
        {
            foreach (Sample sample in parsed) Assert.That(Answer.OfHello(sample.Bytes).Alpn, Is.EqualTo(sample.Alpn), sample.File);
        }
    }

    [Test]
    public void Every_hello_of_a_real_client_is_read()
    {
        using (Assert.EnterMultipleScope())
        {
            foreach (Sample sample in Required().Where(s => s.Kind != "fuzz"))
            {
                Assert.That(Answer.OfHello(sample.Bytes).Outcome, Is.EqualTo(InspectionOutcome.Parsed), sample.File);
            }
        }
    }

    // Byte by byte, and split at every offset: what counts is the bytes received so far, so every beginning is each of these cases once.
    [Test]
    public void Every_beginning_needs_more_until_the_answer_and_the_answer_stays()
    {
        foreach (Sample sample in Required())
        {
            Answer whole = Answer.OfHello(sample.Bytes);
            bool isDecided = false;
            for (int length = 0; length <= sample.Bytes.Length; length++)
            {
                Answer part = Answer.OfHello(sample.Bytes.AsSpan(0, length));
                if (part.Outcome == InspectionOutcome.NeedMore)
                {
                    Assert.That(isDecided, Is.False, $"{sample.File}: undecided again at {length}");
                    continue;
                }

                isDecided = true;
                Assert.That(part, Is.EqualTo(whole), $"{sample.File} at {length}");
            }

            Assert.That(isDecided || whole.Outcome == InspectionOutcome.NeedMore, Is.True, sample.File);
        }
    }

    [Test]
    public void What_is_needed_is_never_too_much_and_reached_in_few_looks()
    {
        foreach (Sample sample in Required())
        {
            int looks = 0;
            int length = Math.Min(1, sample.Bytes.Length);
            Answer answer = Answer.OfHello(sample.Bytes.AsSpan(0, length));
            while (answer.Outcome == InspectionOutcome.NeedMore && answer.Needed <= sample.Bytes.Length)
            {
                Answer tooEarly = Answer.OfHello(sample.Bytes.AsSpan(0, answer.Needed - 1));
                Assert.That(tooEarly.Outcome, Is.Not.EqualTo(InspectionOutcome.Parsed), sample.File);
                length = answer.Needed;
                answer = Answer.OfHello(sample.Bytes.AsSpan(0, length));
                looks++;
            }

            if (answer.Outcome != InspectionOutcome.NeedMore) Assert.That(answer, Is.EqualTo(Answer.OfHello(sample.Bytes)), sample.File);

            // Real clients use one record or two. Many small ones cost more looks, because each may bring less than is missing.
            Assert.That(looks, Is.LessThanOrEqualTo(sample.Kind == "fuzz" ? 60 : 5), sample.File);
        }
    }

    [Test]
    public void Answer_does_not_depend_on_how_the_message_is_cut_into_records([Values(1, 2, 3, 5, 38, 255, 1000)] int size)
    {
        int checkedSamples = 0;
        foreach (Sample sample in Required())
        {
            Answer whole = Answer.OfHello(sample.Bytes, Ample);
            if (Answer.Reframe(sample.Bytes, size) is not { } framed) continue;
            checkedSamples++;
            Answer answer = Answer.OfHello(framed, Ample);
            Assert.That(answer with { Needed = 0 }, Is.EqualTo(whole with { Needed = 0 }), sample.File);
        }

        Assert.That(checkedSamples, Is.GreaterThan(100));
    }

    [Test]
    public void Reframed_hello_is_read_byte_by_byte()
    {
        foreach (Sample sample in Required().Where(s => s is { Kind: not "fuzz", Bytes.Length: < 600 }))
        {
            byte[] framed = Answer.Reframe(sample.Bytes, 100)!;
            for (int length = 0; length < framed.Length; length++)
            {
                Answer answer = Answer.OfHello(framed.AsSpan(0, length));
                Assert.That(answer.Outcome, Is.EqualTo(InspectionOutcome.NeedMore), $"{sample.File} at {length}");
                Assert.That(answer.Needed, Is.LessThanOrEqualTo(framed.Length), $"{sample.File} at {length}");
            }

            Assert.That(Answer.OfHello(framed), Is.EqualTo(Answer.OfHello(sample.Bytes)), sample.File);
        }
    }

    [Test]
    public void Parsing_allocates_nothing()
    {
        byte[][] samples = [.. Required().Select(s => s.Bytes), .. Required().Select(s => Answer.Reframe(s.Bytes, 50)).OfType<byte[]>()];
        byte[] scratch = new byte[ClientHello.ScratchLength(Ample)];
        int found = ParseAll(samples, scratch);
        long before = GC.GetAllocatedBytesForCurrentThread();

        int again = ParseAll(samples, scratch);

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
        Assert.That(again, Is.EqualTo(found).And.Positive);
    }

    private static int ParseAll(byte[][] samples, byte[] scratch)
    {
        int found = 0;
        foreach (byte[] sample in samples)
        {
            ClientHello.TryParse(sample, Ample, scratch, out ClientHello hello);
            if (hello.Alpn.Contains("h2"u8) || !hello.ServerName.IsEmpty) found++;
        }

        return found;
    }

    // The rules that are stricter than nginx and HAProxy: lower case, one trailing dot dropped, no NUL, no address.
    private static string Ours(string name)
    {
        string cut = name.EndsWith('.') ? name[..^1] : name;
        bool isAddress = IPAddress.TryParse(cut, out IPAddress? address) && (cut.Contains(':') || address.ToString() == cut);
        return isAddress || cut.Contains('\0') ? "" : string.Concat(cut.Select(c => char.IsAsciiLetter(c) ? char.ToLowerInvariant(c) : c));
    }
}
