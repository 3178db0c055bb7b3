using L4Balancer.Core.Accounting;
using L4Balancer.Engine;

namespace L4Balancer.Upgrade;

/// <summary>The old process has given the connections of a slice up.</summary>
/// <param name="Number">The number of the slice.</param>
/// <param name="Closes">What was asked of them while they stood still, to be carried out by the new process.</param>
internal sealed record UpgradeCommit(int Number, IReadOnlyList<RequestedClose> Closes)
{
    public ReadOnlyMemory<byte> Write()
    {
        UpgradeFieldWriter fields = new UpgradeFieldWriter().Add(1, Number);
        foreach (RequestedClose close in Closes)
        {
            fields.Add(2, new UpgradeFieldWriter().Add(1, (long)close.Id).Add(2, close.Reason.Name()).Written.Span);
        }

        return fields.Written;
    }

    /// <exception cref="UpgradeException">It cannot be read.</exception>
    public static UpgradeCommit Read(ReadOnlySpan<byte> body)
    {
        int number = 0;
        List<RequestedClose> closes = [];
        var fields = new UpgradeFieldReader(body);
        while (fields.Next())
        {
            switch (fields.Tag)
            {
                case 1: number = fields.Count(); break;
                case 2: closes.Add(CloseOf(fields.Value)); break;
                default: fields.Pass(); break;
            }
        }

        return new UpgradeCommit(number, closes);
    }

    private static RequestedClose CloseOf(ReadOnlySpan<byte> bytes)
    {
        (ulong id, string reason) = (0, "");
        var fields = new UpgradeFieldReader(bytes);
        while (fields.Next())
        {
            switch (fields.Tag)
            {
                case 1: id = (ulong)fields.Number(); break;
                case 2: reason = fields.Text(); break;
                default: fields.Pass(); break;
            }
        }

        // A reason that this version does not know is still a close that was asked for.
        return new RequestedClose(id, Enum.GetValues<CloseReason>().FirstOrDefault(r => r.Name() == reason, CloseReason.Admin));
    }
}
