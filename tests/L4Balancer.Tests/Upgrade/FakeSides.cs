using L4Balancer.Core.Accounting;
using L4Balancer.Core.Timing;
using L4Balancer.Engine;
using L4Balancer.Upgrade;

namespace L4Balancer.Tests.Upgrade;

/// <summary>A daemon that is replaced, without an engine: connections are numbers with two descriptors each.</summary>
internal sealed class FakeGiver : IUpgradeGiver, IDisposable
{
    private readonly FileStream _file = File.OpenRead("/dev/null");
    private readonly List<ulong> _here = [];
    private int _next;

    public FakeGiver(int connections) => _here.AddRange(Enumerable.Range(1, connections).Select(i => (ulong)i));

    public List<string> Steps { get; } = [];

    public IReadOnlyList<ulong> Here => _here;

    public bool IsFrozen { get; private set; }

    public UpgradeHello Hello { get; init; } = new() { Build = "old", Process = 1, DescriptorLimit = 1000 };

    public long DescriptorsNeeded { get; init; } = 100;

    public int Open => _here.Count + Connecting;

    public int Connecting { get; private set; }

    /// <summary>Established only after this many looks.</summary>
    public int EstablishedAfter { get; init; }

    /// <summary>Called in the middle of a commit.</summary>
    public Action Committing { get; set; } = static () => { };

    public int Descriptor => (int)_file.SafeFileHandle.DangerousGetHandle();

    public Task<ReadOnlyMemory<byte>> PrepareAsync() => Task.FromResult<ReadOnlyMemory<byte>>(new byte[] { 1 });

    public Task<UpgradeState> SuspendAsync()
    {
        Steps.Add("suspend");
        return Task.FromResult(new UpgradeState(new byte[] { 2 }, [new UpgradeSocket(UpgradeSocket.Listener, Descriptor) { Name = "wss" }]));
    }

    public Task StopAcceptingAsync()
    {
        Steps.Add("stop accepting");
        Connecting = EstablishedAfter > 0 ? 1 : 0;
        return Task.CompletedTask;
    }

    public Task<IFrozenConnections?> FreezeAsync(int most)
    {
        Assert.That(IsFrozen, Is.False, "one slice at a time");
        if (Connecting > 0 && ++_next > EstablishedAfter)
        {
            Connecting = 0;
            _here.Add(1_000_000);
        }

        ulong[] slice = [.. _here.Take(most)];
        _here.RemoveRange(0, slice.Length);
        _here.AddRange(slice);
        IsFrozen = true;
        return Task.FromResult<IFrozenConnections?>(new Frozen(this, slice));
    }

    /// <summary>All connections end.</summary>
    public void End() => _here.Clear();

    public ReadOnlyMemory<byte> TakeDifferences() => new byte[] { 3 };

    public void GiveUpMain(int process) => Steps.Add($"main {process}");

    public Task ResumeAsync()
    {
        Steps.Add("resume");
        return Task.CompletedTask;
    }

    public void Dispose() => _file.Dispose();

    private sealed class Frozen(FakeGiver giver, ulong[] ids) : IFrozenConnections
    {
        public IReadOnlyList<UpgradeConnection> Connections { get; } =
            [.. ids.Select(id => new UpgradeConnection(id, default) { Client = giver.Descriptor, Backend = giver.Descriptor })];

        public Task<IReadOnlyList<RequestedClose>> CommitAsync(IReadOnlySet<ulong> taken)
        {
            giver.IsFrozen = false;
            giver._here.RemoveAll(taken.Contains);
            giver.Committing();
            return Task.FromResult<IReadOnlyList<RequestedClose>>([.. taken.Where(id => id == 2).Select(id => new RequestedClose(id, CloseReason.Drain))]);
        }

        public Task ThawAsync()
        {
            giver.IsFrozen = false;
            return Task.CompletedTask;
        }
    }
}

/// <summary>A daemon that takes over, without an engine.</summary>
internal sealed class FakeTaker : IUpgradeTaker
{
    private readonly List<ulong> _placed = [];

    public List<ulong> Here { get; } = [];

    public List<string> Steps { get; } = [];

    public List<RequestedClose> Closes { get; } = [];

    public Predicate<ulong> Refuses { get; init; } = static _ => false;

    public ulong[] WithoutPlace { get; init; } = [];

    public string? WhyNot { get; set; }

    public bool Accepts(UpgradeConnection connection, out string why)
    {
        why = "it is not understood";
        return !Refuses(connection.Id);
    }

    public Task<IReadOnlyList<AdoptFailure>> PlaceAsync(IReadOnlyList<UpgradeConnection> connections)
    {
        _placed.AddRange(connections.Select(c => c.Id).Except(WithoutPlace));
        UpgradeSlice.Close(connections.SelectMany(c => c.Descriptors));
        return Task.FromResult<IReadOnlyList<AdoptFailure>>(
            [.. connections.Select(c => c.Id).Intersect(WithoutPlace).Select(id => new AdoptFailure(id, CloseReason.Internal, "no place"))]);
    }

    public Task<int> ServeAsync(IReadOnlyList<RequestedClose> closes)
    {
        Here.AddRange(_placed);
        _placed.Clear();
        Closes.AddRange(closes);
        return Task.FromResult(0);
    }

    public Task LetGoAsync()
    {
        Steps.Add(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"let go {_placed.Count}"));
        _placed.Clear();
        return Task.CompletedTask;
    }

    public void Reload(string who) => Steps.Add($"reload {who}");

    public void Add(ReadOnlyMemory<byte> differences) => Steps.Add($"add {differences.Span[0]}");

    public void BecomeMain() => Steps.Add("main");

    public Task GoOnAloneAsync(string why)
    {
        Steps.Add("alone");
        return Task.CompletedTask;
    }

    public Task RecoverAsync()
    {
        Steps.Add("recover");
        return Task.CompletedTask;
    }
}
