using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Ports;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Sticky;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Handover;

/// <summary>What an image is added to.</summary>
internal sealed record ImageTarget(RoutingSnapshot Snapshot, Survivors Survivors, IReadOnlyCollection<ICarriedCounters> Parts, Instant Now);

/// <summary>Reads a <see cref="BalancerImage"/>.</summary>
internal static class ImageReader
{
    /// <param name="target">What it is added to; null: it is only checked. One that was not checked may be added in part.</param>
    /// <returns>What is wrong with it; empty if nothing is.</returns>
    public static string Read(ReadOnlySpan<byte> image, ImageTarget? target)
    {
        var reader = new FieldReader(image);
        byte version = reader.Byte();
        if (version == 0)
        {
            return "no image";
        }

        bool hasProcess = false;
        while (reader.TryNext(out ushort tag, out FieldReader field))
        {
            switch (tag)
            {
                case BalancerImage.ProcessTag:
                    hasProcess = true;
                    ReadProcess(ref field, target);
                    break;
                case BalancerImage.ListenerTag:
                    ReadListener(ref field, target);
                    break;
                case BalancerImage.PoolTag:
                    ReadPool(ref field, target);
                    break;
                case BalancerImage.BackendTag:
                    ReadBackend(ref field, target);
                    break;
                case BalancerImage.SourceTag:
                    ReadSource(ref field, target);
                    break;
                case BalancerImage.PortsTag:
                    ReadPorts(ref field, target);
                    break;
                case BalancerImage.StickyTag:
                    ReadSticky(ref field, target);
                    break;
                case BalancerImage.PartTag:
                    ReadPart(ref field, target);
                    break;
                case >= FieldWriter.Mandatory:
                    return $"version {version} with the unknown field {tag & ~FieldWriter.Mandatory}";
            }

            if (field.IsBad)
            {
                return $"bad field {tag & ~FieldWriter.Mandatory}";
            }
        }

        return reader.IsBad ? "cut off" : hasProcess ? "" : "no process";
    }

    private static void ReadProcess(ref FieldReader field, ImageTarget? target)
    {
        long id = field.Count();
        CounterSheet sheet = Sheet(ref field);
        if (target is { Snapshot.State: { } state })
        {
            // Ids of an image that is wrong by much must not leave none.
            state.ContinueAfter(Math.Min((ulong)id, long.MaxValue / 2) + BalancerImage.IdGap);
            state.Add(sheet);
        }
    }

    private static void ReadListener(ref FieldReader field, ImageTarget? target)
    {
        string name = field.Name();
        CounterSheet sheet = Sheet(ref field);
        target?.Survivors.ListenerOf(target.Snapshot, name).Add(sheet);
    }

    private static void ReadPool(ref FieldReader field, ImageTarget? target)
    {
        string name = field.Name();
        CounterSheet sheet = Sheet(ref field);
        var closing = new Instant(field.Count());
        if (target is not null)
        {
            PoolState pool = target.Survivors.PoolOf(target.Snapshot, name);
            pool.Add(sheet);
            pool.Closing.Begin(closing);
        }
    }

    private static void ReadBackend(ref FieldReader field, ImageTarget? target)
    {
        (string pool, string name, string address) = (field.Name(), field.Name(), field.Name());
        CounterSheet sheet = Sheet(ref field);
        target?.Survivors.BackendOf(target.Snapshot, pool, name, address, null).State.Add(sheet);
    }

    private static void ReadSource(ref FieldReader field, ImageTarget? target)
    {
        HostAddress? address = OptionalAddress(ref field);
        CounterSheet sheet = Sheet(ref field);
        target?.Survivors.SourceOf(target.Snapshot, address).Add(sheet);
    }

    private static void ReadPorts(ref FieldReader field, ImageTarget? target)
    {
        HostAddress? source = OptionalAddress(ref field);
        Endpoint destination = field.Endpoint();
        CounterSheet waiting = Sheet(ref field);
        List<PortRun> runs = [];
        for (int left = field.Int(); left > 0 && !field.IsBad; left--)
        {
            runs.Add(new PortRun(field.Short(), field.Short(), field.Byte()));
        }

        if (target is not null)
        {
            PortUse use = target.Survivors.PortsOf(target.Snapshot, source, destination);
            use.Add(waiting, target.Now);
            use.Mark(runs);
        }
    }

    private static void ReadSticky(ref FieldReader field, ImageTarget? target)
    {
        string name = field.Name();
        (ulong, ulong) seeds = ((ulong)field.Long(), (ulong)field.Long());
        List<(string Name, string Address)> names = [];
        for (int left = field.Int(); left > 0 && !field.IsBad; left--)
        {
            names.Add((field.Name(), field.Name()));
        }

        Pool? pool = target?.Snapshot.Pools.FirstOrDefault(p => p.Name == name);
        bool isTaken = pool is not null && target!.Survivors.TryTakeSticky(target.Snapshot, name, seeds);
        Backend[] backends = isTaken
            ? [.. names.Select(n => target!.Survivors.BackendOf(target.Snapshot, name, n.Name, n.Address, null))] : [];
        for (int left = field.Int(); left > 0 && !field.IsBad; left--)
        {
            var hash = new StickyKeyHash((ulong)field.Long(), (ulong)field.Long());
            HostAddress client = field.Address();
            int backend = field.Int();
            var since = new Instant(field.Count());
            if (isTaken && !field.IsBad && (uint)backend < (uint)backends.Length && since.Ticks > 0)
            {
                pool!.Sticky!.Take(hash, client, backends[backend].State, backends[backend].Index, since, pool.Settings.Sticky);
            }
        }
    }

    private static void ReadPart(ref FieldReader field, ImageTarget? target)
    {
        string name = field.Name();
        CounterSheet sheet = Sheet(ref field);
        target?.Parts.FirstOrDefault(p => p.CarriedName == name)?.Add(sheet);
    }

    private static HostAddress? OptionalAddress(ref FieldReader field)
    {
        bool isThere = field.Flag();
        HostAddress address = field.Address();
        return isThere ? address : null;
    }

    private static CounterSheet Sheet(ref FieldReader field)
    {
        var sheet = new CounterSheet();
        for (int left = field.Int(); left > 0 && !field.IsBad; left--)
        {
            string name = field.Name();
            sheet[name] = field.Count();
        }

        return sheet;
    }
}
