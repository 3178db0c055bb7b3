namespace L4Balancer.Engine.Probing;

/// <summary>Sends the bytes of <c>send</c> and looks for those of <c>expect</c> in the answer.</summary>
internal sealed class ExpectTalk(Stream stream, byte[] buffer)
{
    /// <summary>Bytes of the answer that are read; what is expected must be complete within them.</summary>
    public const int LongestAnswer = 4096;

    /// <param name="send">Written once connected; may be empty.</param>
    /// <param name="expected">What the answer must contain; if it is empty, nothing is read.</param>
    /// <returns>What went wrong, in a few words; null if the answer is as expected.</returns>
    public async ValueTask<string?> RunAsync(ReadOnlyMemory<byte> send, ReadOnlyMemory<byte> expected)
    {
        if (send.Length > 0)
        {
            await stream.WriteAsync(send).ConfigureAwait(false);
        }

        // Only the part that the last read completed is searched, so that an answer in single bytes is searched once, not 4096 times.
        int filled = 0;
        int searched = 0;
        while (buffer.AsSpan(searched, filled - searched).IndexOf(expected.Span) < 0)
        {
            if (filled == LongestAnswer)
            {
                return $"the first {LongestAnswer / 1024} KiB of the answer lack what is expected";
            }

            searched = Math.Max(0, filled - expected.Length + 1);
            int count = await stream.ReadAsync(buffer.AsMemory(filled, LongestAnswer - filled)).ConfigureAwait(false);
            if (count == 0)
            {
                return filled == 0 ? "closed without an answer" : "the answer lacks what is expected";
            }

            filled += count;
        }

        return null;
    }
}
