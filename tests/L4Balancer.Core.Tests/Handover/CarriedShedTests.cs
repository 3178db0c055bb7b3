using L4Balancer.Core.Accounting;
using L4Balancer.Core.Handover;

namespace L4Balancer.Core.Tests.Handover;

/// <summary>Orders to close connections, on their way to the process that goes on with them.</summary>
internal sealed class CarriedShedTests
{
    private static readonly CarriedShed[] All =
    [
        new(ShedKind.Backend) { Pool = "p", Backend = "b", Address = "10.0.0.1:80", Reason = CloseReason.Drain, Within = TimeSpan.FromMinutes(9) },
        new(ShedKind.Backend) { Pool = "p", Backend = "c", Address = "10.0.0.2:80", Reason = CloseReason.BackendDown },
        new(ShedKind.Rebalance) { Pool = "p", Reason = CloseReason.Rebalance, Tolerance = 0.1, PerSecond = 50 },
        new(ShedKind.Filter) { Reason = CloseReason.Admin, PerSecond = 0, Filter = [("backend", "p/b"), ("source", "10.0.0.0/8")] },
    ];

    [Test]
    public void Orders_are_read_as_they_were_written()
    {
        IReadOnlyList<CarriedShed> read = CarriedShed.Read(CarriedShed.ToBytes(All), out int left);
        Assert.That(left, Is.Zero);
        Assert.That(read.Select(s => s with { Filter = [] }), Is.EqualTo(All.Select(s => s with { Filter = [] })));
        Assert.That(read.Select(s => string.Join(' ', s.Filter)), Is.EqualTo(All.Select(s => string.Join(' ', s.Filter))));
    }

    [Test]
    public void An_order_that_this_build_does_not_understand_is_left_out()
    {
        var writer = new FieldWriter();
        int order = writer.Begin(1);
        writer.End(writer.Begin(77 | FieldWriter.Mandatory));
        writer.End(order);
        Assert.That(CarriedShed.Read([.. CarriedShed.ToBytes(All), .. writer.Written], out int left), Has.Count.EqualTo(All.Length));
        Assert.That(left, Is.EqualTo(1));
    }

    [Test]
    public void Spoilt_bytes_never_throw()
    {
        byte[] whole = CarriedShed.ToBytes(All);
        var random = new Random(3);
        for (int i = 0; i < 10_000; i++)
        {
            byte[] spoilt = [.. whole.AsSpan(0, random.Next(whole.Length + 1))];
            for (int n = Math.Min(spoilt.Length, random.Next(5)); n > 0; n--)
            {
                spoilt[random.Next(spoilt.Length)] = (byte)random.Next(256);
            }

            CarriedShed.ToBytes(CarriedShed.Read(spoilt, out _));
        }
    }
}
