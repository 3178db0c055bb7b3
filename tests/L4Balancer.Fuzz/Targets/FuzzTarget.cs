namespace L4Balancer.Fuzz.Targets;

/// <summary>A parser with the rules that hold for its answers, whatever the bytes are.</summary>
internal abstract class FuzzTarget
{
    public static IReadOnlyList<FuzzTarget> All { get; } =
    [
        new ClientHelloTarget(),
        new RequestHeadTarget(),
        new ProxyHeaderTarget(),
        new ProxyWriterTarget(),
        new ProbeAnswerTarget(),
        new TomlTarget(),
        new ConfigTarget(),
        new AdminQueryTarget(),
        new ZookeeperTarget(),
        new SentinelTarget(),
        new HandoverTarget(),
        new LedgerTarget(),
        new StoreAnswerTarget(),
        new DnsTarget(),
    ];

    /// <summary>As in <c>make fuzz TARGET=</c>, and the name of the folder of its cases.</summary>
    public abstract string Name { get; }

    /// <summary>The longest input, in bytes; what a fuzzer appends beyond it only costs time.</summary>
    public virtual int Longest => 4096;

    /// <summary>Parts of inputs, which mutations insert.</summary>
    public abstract IReadOnlyList<byte[]> Fragments { get; }

    /// <summary>Inputs to begin with; those of the test data are among them where it is there.</summary>
    public abstract IEnumerable<byte[]> Seeds();

    /// <summary>Parses the bytes and checks the answer. One thread at a time.</summary>
    /// <returns>Whether the input is valid: seeded rounds check that they reach both answers.</returns>
    /// <exception cref="Finding">A rule does not hold. Any other exception is a finding too.</exception>
    public abstract bool Run(byte[] bytes);

    public override string ToString() => Name;
}
