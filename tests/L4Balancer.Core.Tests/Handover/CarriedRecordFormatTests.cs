using System.Buffers.Binary;
using L4Balancer.Core.Handover;

namespace L4Balancer.Core.Tests.Handover;

/// <summary>The bytes of a record between two processes, of this version and of the ones before and after it.</summary>
internal sealed class CarriedRecordFormatTests
{
    /// <summary>What version 1 wrote for <see cref="Samples.Full"/>. These bytes stay as they are, whatever a later version writes.</summary>
    private const string FirstVersion =
        "01" // version
        + "0180480000008877665544332211070000000000000040420F000000000080841E0000000000C0C62D000000000000093D000000000040E201000000"
        + "0000B1CB7400000000000200000000000000" // numbers
        + "02800700000003000000777373" // listener
        + "0380080000000400000063686174" // pool
        + "04802B000000030000007773310C00000031302E302E302E313A3434330100BB0100000000000000000000FFFF0A000001" // backend
        + "0580390000000050C300000000000000000000FFFFCB00710900BB0120010DB800000000000000000000000100419C00000000000000000000FFFF0A"
        + "000064" // addresses
        + "06801100000015E0673500000000004054890000000000" // end
        + "07001F000000010000003216000000736E69202A2E636861742E6578616D706C652E636F6D" // route
        + "08002200000012000000612E636861742E6578616D706C652E636F6DFFFFFFFF04000000636CC3A9" // names
        + "0900100000000807060504030201F8F7F6F5F4F3F2F1" // sticky
        + "0A000100000001" // place
        + "0C000100000003" // port
        + "0B005000000000BCA065010000000046C3230000000000E0349564000000320000000000000000A3E1110000000080F0FA0200000000040000000000"
        + "00000300000000000000002D310100000000801D2C0400000000"; // policy

    private const ushort Mandatory = FieldWriter.Mandatory;

    [Test]
    public void Golden_record_of_version_1_is_read_as_it_was_meant()
    {
        CarriedRecord? read = CarriedRecord.Read(Convert.FromHexString(FirstVersion), out string fault);
        Assert.That((read, fault), Is.EqualTo((Samples.Full, "")));
    }

    [Test]
    public void Same_record_is_written_as_the_golden_bytes() =>
        Assert.That(Convert.ToHexString(Samples.Full.ToBytes()), Is.EqualTo(FirstVersion));

    [Test]
    public void Every_record_is_read_as_it_was_written([Range(1, 3)] int seed)
    {
        var random = new Random(seed);
        for (int i = 0; i < 2_000; i++)
        {
            CarriedRecord record = Samples.Random(random);
            CarriedRecord? read = CarriedRecord.Read(record.ToBytes(), out string fault);
            Assert.That(fault, Is.Empty);
            Assert.That(read, Is.EqualTo(record));
        }
    }

    [Test]
    public void Record_of_a_later_version_is_read_without_what_it_adds()
    {
        byte[] later = Later(writer =>
        {
            int field = writer.Begin(30_000);
            writer.Text("what nobody knows yet");
            writer.End(field);
        });

        Assert.That(CarriedRecord.Read(later, out string fault), Is.EqualTo(Samples.Full), fault);
    }

    [Test]
    public void Record_with_more_in_a_known_field_is_read_without_it()
    {
        byte[] bytes = Samples.Full.ToBytes();

        // The first field has the numbers; a later version appends one to them.
        int length = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(3));
        byte[] later = [2, .. bytes[1..3], .. BitConverter.GetBytes(length + 8), .. bytes.AsSpan(7, length), 1, 2, 3, 4, 5, 6, 7, 8, .. bytes.AsSpan(7 + length)];

        Assert.That(CarriedRecord.Read(later, out string fault), Is.EqualTo(Samples.Full), fault);
    }

    [Test]
    public void Record_with_a_mandatory_field_that_is_not_known_is_refused()
    {
        byte[] later = Later(writer => writer.End(writer.Begin(31 | Mandatory)));
        Assert.That(CarriedRecord.Read(later, out string fault), Is.Null);
        Assert.That(fault, Is.EqualTo("version 2 with the unknown field 31"));
    }

    [Test]
    public void Record_of_an_earlier_version_lacks_what_it_did_not_know_and_no_more()
    {
        // Only the mandatory fields: what a first version without the others would have written.
        byte[] earlier = [.. Samples.Full.ToBytes()[..1], .. Fields(Samples.Full.ToBytes()).Where(f => (f.Tag & Mandatory) != 0).SelectMany(f => f.Bytes)];
        CarriedRecord expected = Samples.Full with
        {
            Route = "",
            Rule = null,
            Names = null,
            StickyHash = null,
            HasClientPlace = null,
            Policy = null,
            PortSource = PortSource.Unknown,
        };
        Assert.That(CarriedRecord.Read(earlier, out string fault), Is.EqualTo(expected), fault);
    }

    [Test]
    public void Record_that_lacks_a_mandatory_field_says_which()
    {
        byte[] full = Samples.Full.ToBytes();
        foreach ((ushort tag, _) in Fields(full).Where(f => (f.Tag & Mandatory) != 0).ToList())
        {
            byte[] without = [.. full[..1], .. Fields(full).Where(f => f.Tag != tag).SelectMany(f => f.Bytes)];
            Assert.That(CarriedRecord.Read(without, out string fault), Is.Null);
            Assert.That(fault, Does.StartWith("no "));
        }
    }

    [Test]
    public void Bytes_that_are_cut_off_or_spoilt_are_refused_or_read_and_never_throw()
    {
        byte[] full = Samples.Full.ToBytes();
        for (int length = 0; length < full.Length; length++)
        {
            bool isWhole = CarriedRecord.Read(full.AsSpan(0, length), out string fault) is not null;
            Assert.That(isWhole, Is.EqualTo(fault.Length == 0));
        }

        var random = new Random(4);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] spoilt = [.. full];
            for (int n = random.Next(1, 6); n > 0; n--)
            {
                spoilt[random.Next(spoilt.Length)] = (byte)random.Next(256);
            }

            CarriedRecord.Read(spoilt, out _)?.ToBytes();
        }
    }

    [Test]
    public void Record_that_is_not_established_is_refused()
    {
        byte[] bytes = (Samples.Full with { EstablishedAt = default }).ToBytes();
        Assert.That(CarriedRecord.Read(bytes, out string fault), Is.Null);
        Assert.That(fault, Is.EqualTo("not established"));
    }

    private static byte[] Later(Action<FieldWriter> add)
    {
        var writer = new FieldWriter();
        add(writer);
        byte[] bytes = Samples.Full.ToBytes();
        return [2, .. writer.Written, .. bytes.AsSpan(1)];
    }

    private static List<(ushort Tag, byte[] Bytes)> Fields(byte[] record)
    {
        List<(ushort, byte[])> fields = [];
        for (int at = 1; at < record.Length;)
        {
            int length = 6 + BinaryPrimitives.ReadInt32LittleEndian(record.AsSpan(at + 2));
            fields.Add((BinaryPrimitives.ReadUInt16LittleEndian(record.AsSpan(at)), record[at..(at + length)]));
            at += length;
        }

        return fields;
    }
}
