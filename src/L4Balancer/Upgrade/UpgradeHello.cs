namespace L4Balancer.Upgrade;

/// <summary>The first message of both processes: who they are, and which versions of the protocol they speak.</summary>
internal sealed record UpgradeHello
{
    /// <summary>The version that this build speaks, and the oldest that it still speaks.</summary>
    public const int Current = 1;
    public const int Oldest = 1;

    /// <summary>The highest version that the sender speaks.</summary>
    public int Highest { get; init; } = Current;

    /// <summary>The lowest version that the sender speaks.</summary>
    public int Lowest { get; init; } = Oldest;

    /// <summary>As <c>l4balancer version</c> prints it; for the log.</summary>
    public required string Build { get; init; }

    public required int Process { get; init; }

    /// <summary>How many descriptors the sender may have open.</summary>
    public required long DescriptorLimit { get; init; }

    /// <summary>Of the configuration that the sender runs or has read; empty if it is not known.</summary>
    public string ConfigHash { get; init; } = "";

    /// <summary>Whether a test wants the fields of a later version in it.</summary>
    public UpgradeLaterVersion Later { get; init; }

    public ReadOnlyMemory<byte> Write()
    {
        var fields = new UpgradeFieldWriter();
        fields.Add(1, Lowest).Add(2, Highest).Add(3, Build).Add(4, Process).Add(5, DescriptorLimit).Add(6, ConfigHash);
        if (Later.HasFlag(UpgradeLaterVersion.Optional))
        {
            fields.Add(0x7001, "an optional field of a later version");
        }

        if (Later.HasFlag(UpgradeLaterVersion.Mandatory))
        {
            fields.Add(UpgradeFieldWriter.Mandatory | 0x7002, "a mandatory field of a later version");
        }

        return fields.Written;
    }

    /// <exception cref="UpgradeException">It cannot be read.</exception>
    public static UpgradeHello Read(ReadOnlySpan<byte> body)
    {
        (int lowest, int highest, string build, int process, long limit, string hash) = (0, 0, "", 0, 0L, "");
        var fields = new UpgradeFieldReader(body);
        while (fields.Next())
        {
            switch (fields.Tag)
            {
                case 1: lowest = fields.Count(); break;
                case 2: highest = fields.Count(); break;
                case 3: build = fields.Text(); break;
                case 4: process = fields.Count(); break;
                case 5: limit = fields.Number(); break;
                case 6: hash = fields.Text(); break;
                default: fields.Pass(); break;
            }
        }

        return new UpgradeHello { Lowest = lowest, Highest = highest, Build = build, Process = process, DescriptorLimit = limit, ConfigHash = hash };
    }

    /// <summary>The version that both speak.</summary>
    /// <exception cref="UpgradeException">There is none.</exception>
    public int Agree(UpgradeHello other)
    {
        int common = Math.Min(Highest, other.Highest);
        return common >= Math.Max(Lowest, other.Lowest) && common > 0
            ? common
            : throw new UpgradeException(
                $"the other process ({other.Build}) speaks the versions {other.Lowest} to {other.Highest} of the hand-over, and this one ({Build}) "
                + $"{Lowest} to {Highest}: restart instead of upgrading");
    }
}

/// <summary>Which fields that this version does not know a test adds (<see cref="UpgradeFaults"/>).</summary>
[Flags]
internal enum UpgradeLaterVersion
{
    None = 0,
    Optional = 1,
    Mandatory = 2,
}
