using System.Collections.Immutable;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Discovery;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Handover;

/// <content>The bytes: a version, then fields (<see cref="FieldWriter"/>), one for each thing.</content>
public sealed partial record Preparation
{
    /// <summary>The version that this build writes; as <see cref="CarriedRecord.FormatVersion"/>.</summary>
    public const byte FormatVersion = 1;

    // Numbers are never used again.
    private const ushort ProcessTag = 1 | FieldWriter.Mandatory;
    private const ushort OverrideTag = 2;
    private const ushort NameTag = 3;
    private const ushort BelievedTag = 4;
    private const ushort HealthTag = 5;
    private const ushort SlowStartTag = 6;

    private const int HeaviestWeight = 1000;

    public byte[] ToBytes()
    {
        var writer = new FieldWriter(16 * 1024);
        writer.Byte(FormatVersion);
        int field = writer.Begin(ProcessTag);
        writer.Long((long)Seed);
        writer.Long(Generation);
        writer.End(field);
        foreach (SavedOverride saved in Overrides)
        {
            Write(writer, saved);
        }

        foreach ((string pool, HostName name, NameAddresses addresses) in Names)
        {
            field = writer.Begin(NameTag);
            writer.Text(pool);
            writer.Text(name.Host);
            writer.Short(name.Port);
            writer.Address(addresses.Current);
            foreach (HostAddress other in addresses.Others)
            {
                writer.Address(other);
            }

            writer.End(field);
        }

        foreach ((string pool, ImmutableArray<DiscoveredBackend> set) in Believed)
        {
            Write(writer, pool, set);
        }

        foreach (CarriedHealth health in Health)
        {
            Write(writer, health);
        }

        foreach ((string pool, string backend, Instant since) in SlowStarts)
        {
            field = writer.Begin(SlowStartTag);
            writer.Text(pool);
            writer.Text(backend);
            writer.Long(since.Ticks);
            writer.End(field);
        }

        return writer.ToArray();
    }

    /// <summary>Reads a preparation of any version. The bytes are read as if they were hostile.</summary>
    /// <param name="fault">Why it is refused, in a few words; empty if it is not.</param>
    /// <returns>Null if it lacks what is needed, has a mandatory field that this build does not know, or is none.</returns>
    public static Preparation? Read(ReadOnlySpan<byte> bytes, out string fault)
    {
        var reader = new FieldReader(bytes);
        byte version = reader.Byte();
        fault = version == 0 ? "no preparation" : "";
        (ulong Seed, long Generation)? process = null;
        var overrides = ImmutableArray.CreateBuilder<SavedOverride>();
        var names = ImmutableArray.CreateBuilder<(string, HostName, NameAddresses)>();
        var believed = ImmutableArray.CreateBuilder<(string, ImmutableArray<DiscoveredBackend>)>();
        var health = ImmutableArray.CreateBuilder<CarriedHealth>();
        var slowStarts = ImmutableArray.CreateBuilder<(string, string, Instant)>();
        while (fault.Length == 0 && reader.TryNext(out ushort tag, out FieldReader field))
        {
            switch (tag)
            {
                case ProcessTag:
                    process = ((ulong)field.Long(), field.Count());
                    break;
                case OverrideTag:
                    overrides.Add(ReadOverride(ref field));
                    break;
                case NameTag:
                    names.Add(ReadName(ref field));
                    break;
                case BelievedTag:
                    believed.Add(ReadBelieved(ref field));
                    break;
                case HealthTag:
                    health.Add(ReadHealth(ref field));
                    break;
                case SlowStartTag:
                    slowStarts.Add((field.Name(), field.Name(), new Instant(field.Count())));
                    break;
                case >= FieldWriter.Mandatory:
                    fault = $"version {version} with the unknown field {tag & ~FieldWriter.Mandatory}";
                    break;
            }

            fault = field.IsBad ? $"bad field {tag & ~FieldWriter.Mandatory}" : fault;
        }

        fault = fault.Length > 0 ? fault : reader.IsBad ? "cut off" : process is null ? "no process" : "";
        return fault.Length > 0 || process is not { } known ? null : new Preparation
        {
            Seed = known.Seed,
            Generation = known.Generation,
            Overrides = overrides.ToImmutable(),
            Names = names.ToImmutable(),
            Believed = believed.ToImmutable(),
            Health = health.ToImmutable(),
            SlowStarts = slowStarts.ToImmutable(),
        };
    }

    private static void Write(FieldWriter writer, SavedOverride saved)
    {
        int field = writer.Begin(OverrideTag);
        writer.Text(saved.Pool);
        writer.Text(saved.Backend);
        writer.Byte((byte)saved.Set.Mode);
        writer.Int(saved.Set.Weight ?? -1);
        writer.Int(saved.FileWeight ?? -1);
        Write(writer, saved.Set.ModeOrigin);
        Write(writer, saved.Set.WeightOrigin);
        writer.End(field);
    }

    private static void Write(FieldWriter writer, OverrideOrigin? origin)
    {
        writer.Text(origin?.Who);
        if (origin is not null)
        {
            writer.Long(origin.At.UtcTicks);
            writer.Long(origin.Until?.UtcTicks ?? 0);
            writer.Flag(origin.IsShared);
        }
    }

    private static SavedOverride ReadOverride(ref FieldReader field)
    {
        (string pool, string backend) = (field.Name(), field.Name());
        BackendMode mode = field.Byte() is var number and <= (byte)BackendMode.Maintenance ? (BackendMode)number : BackendMode.Ready;
        int? weight = field.Int() is >= 0 and int set ? Math.Min(set, HeaviestWeight) : null;
        int? fileWeight = field.Int() is >= 0 and int own ? own : null;
        (OverrideOrigin? byMode, OverrideOrigin? byWeight) = (ReadOrigin(ref field), ReadOrigin(ref field));
        return new SavedOverride(pool, backend, new BackendOverride(mode, weight) { ModeOrigin = byMode, WeightOrigin = byWeight }, fileWeight);
    }

    private static OverrideOrigin? ReadOrigin(ref FieldReader field)
    {
        if (field.Text() is not { } who)
        {
            return null;
        }

        (long at, long until) = (Time(ref field), Time(ref field));
        return new OverrideOrigin(who, new DateTimeOffset(at, TimeSpan.Zero), until == 0 ? null : new DateTimeOffset(until, TimeSpan.Zero))
        {
            IsShared = field.Flag(),
        };
    }

    private static long Time(ref FieldReader field) => Math.Min(field.Count(), DateTimeOffset.MaxValue.UtcTicks);

    private static (string Pool, HostName Name, NameAddresses Addresses) ReadName(ref FieldReader field)
    {
        (string pool, string host, ushort port) = (field.Name(), field.Name(), field.Short());
        HostAddress current = field.Address();
        var others = ImmutableArray.CreateBuilder<HostAddress>();
        while (!field.IsAtEnd && !field.IsBad)
        {
            others.Add(field.Address());
        }

        return (pool, new HostName(host, port), new NameAddresses(current, others.ToImmutable()));
    }

    private static void Write(FieldWriter writer, string pool, ImmutableArray<DiscoveredBackend> set)
    {
        int field = writer.Begin(BelievedTag);
        writer.Text(pool);
        foreach (DiscoveredBackend backend in set)
        {
            // Each is a field of its own, so that a later version can say more of it.
            int each = writer.Begin(1);
            writer.Endpoint(backend.Address);
            writer.Text(backend.Name);
            writer.Int(backend.Weight);
            writer.Flag(backend.Backup);
            writer.Int(backend.MaxConnections);
            writer.Text(backend.PublicUrl);
            writer.End(each);
        }

        writer.End(field);
    }

    // A set with one backend that cannot be used is none, as if its source had said so.
    private static (string Pool, ImmutableArray<DiscoveredBackend> Set) ReadBelieved(ref FieldReader field)
    {
        string pool = field.Name();
        var set = ImmutableArray.CreateBuilder<DiscoveredBackend>();
        bool isBad = false;
        while (field.TryNext(out ushort tag, out FieldReader each))
        {
            if (tag == 1)
            {
                set.Add(new DiscoveredBackend(each.Endpoint())
                {
                    Name = each.Name(),
                    Weight = each.Int(),
                    Backup = each.Flag(),
                    MaxConnections = each.Int(),
                    PublicUrl = each.Name(),
                });
                isBad |= each.IsBad;
            }
        }

        if (isBad || BackendSet.WhyNot(set.ToImmutable(), int.MaxValue) is not null)
        {
            field.Refuse();
        }

        return (pool, set.ToImmutable());
    }

    private static void Write(FieldWriter writer, CarriedHealth health)
    {
        int field = writer.Begin(HealthTag);
        writer.Text(health.Pool);
        writer.Text(health.Backend);
        writer.Endpoint(health.Endpoint);
        TrackedHealth tracked = health.Tracked;
        writer.Byte((byte)tracked.State);
        writer.Int(tracked.Good);
        writer.Int(tracked.Bad);
        writer.Int(tracked.Failed);
        writer.Int(tracked.Connected);
        writer.Flag(tracked.IsProbed);
        writer.Flag(tracked.AwaitsProbe);
        writer.Flag(tracked.IsByConnects);
        writer.Text(health.Detail);
        writer.Long(health.LastTransition.Ticks);
        writer.Int(health.FailedConnects);
        writer.Text(health.ConnectFault);
        writer.Flag(health.IsConnectFaultTold);
        writer.Long(health.TrialAt.Ticks);
        writer.Byte((byte)health.Status);
        writer.Long(health.StatusSince.Ticks);
        writer.Text(health.Last?.Detail);
        writer.Byte((byte)(health.Last?.Outcome ?? default));
        writer.Long(health.Last?.At.Ticks ?? 0);
        writer.End(field);
    }

    private static CarriedHealth ReadHealth(ref FieldReader field)
    {
        (string pool, string backend, Endpoint endpoint) = (field.Name(), field.Name(), field.Endpoint());
        HealthState state = field.Byte() is var number and <= (byte)HealthState.Checking ? (HealthState)number : HealthState.Checking;
        var tracked = new TrackedHealth(
            state, Small(ref field), Small(ref field), Small(ref field), Small(ref field), field.Flag(), field.Flag(), field.Flag());
        var health = new CarriedHealth(pool, backend, endpoint, tracked)
        {
            Detail = field.Name(),
            LastTransition = new Instant(field.Count()),
            FailedConnects = Small(ref field),
            ConnectFault = field.Name(),
            IsConnectFaultTold = field.Flag(),
            TrialAt = new Instant(field.Count()),
            Status = field.Byte() is var status and <= (byte)BackendStatus.Checking ? (BackendStatus)status : BackendStatus.Up,
            StatusSince = new Instant(field.Count()),
        };
        string? detail = field.Text();
        ProbeOutcome outcome = field.Byte() is var result and <= (byte)ProbeOutcome.LocalError ? (ProbeOutcome)result : ProbeOutcome.Failure;
        var at = new Instant(field.Count());
        return detail is null ? health : health with { Last = new LastProbe(at, outcome, detail) };
    }

    // Far below where adding to it could overflow.
    private static int Small(ref FieldReader field) => Math.Clamp(field.Int(), 0, 1_000_000_000);
}
