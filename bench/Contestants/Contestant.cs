using System.Diagnostics;
using L4Balancer.Bench.Machine;
using L4Balancer.Bench.Peers;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Bench.Contestants;

/// <summary>A balancer that runs, in a process of its own.</summary>
internal sealed class Contestant : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly Process _process;
    private readonly Wiring _wiring;
    private readonly DirectoryInfo _directory;

    private Contestant(ContestantKind kind, Wiring wiring, Processors processors, IReadOnlyList<string> enter)
    {
        // A daemon's ledger is memory that several processes see: in a tmpfs, as /run is.
        _directory = Directory.Exists("/dev/shm")
            ? Directory.CreateDirectory(Path.Combine("/dev/shm", $"l4balancer-bench-{Guid.NewGuid():N}"))
            : Directory.CreateTempSubdirectory("l4balancer-bench-");
        _wiring = wiring;
        Name = kind.Name;
        _process = Pinned.Start([.. enter, .. kind.Prepare(_directory.FullName, wiring)], processors.Balancer, Output);
    }

    public string Name { get; }

    public int ProcessId => _process.Id;

    public Duty Duty => _wiring.Duty;

    /// <summary>CPU time of its processes so far.</summary>
    public long ProcessorNanoseconds => ProcessorTime.Nanoseconds(_process.Id);

    public ProcessMemory Memory => ProcessMemory.Of(_process.Id);

    private string Output => Path.Combine(_directory.FullName, "output.log");

    /// <summary>Starts it and waits until it listens.</summary>
    /// <exception cref="InvalidOperationException">It does not; the message has what it said.</exception>
    public static Contestant Start(ContestantKind kind, Wiring wiring, Processors processors)
    {
        int[] ports = [.. Wiring.Roles.Select(r => (int)wiring.Listen(r).Port)];
        return Start(kind, wiring, processors, enter: [], () => ListeningPorts.All(ports));
    }

    /// <param name="enter">What its command begins with.</param>
    public static Contestant Start(ContestantKind kind, Wiring wiring, Processors processors, IReadOnlyList<string> enter, Func<bool> isReady)
    {
        var contestant = new Contestant(kind, wiring, processors, enter);
        long start = Stopwatch.GetTimestamp();
        while (!isReady())
        {
            if (contestant._process.HasExited || Stopwatch.GetElapsedTime(start) > Patience)
            {
                string said = File.Exists(contestant.Output) ? File.ReadAllText(contestant.Output).Trim() : "";
                contestant.Dispose();
                throw new InvalidOperationException($"{kind.Name} does not start: {said}");
            }

            Thread.Sleep(20);
        }

        return contestant;
    }

    public Endpoint At(PeerRole role) => _wiring.Listen(role);

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            using Process? term = Process.Start("sh", ["-c", $"kill -TERM {_process.Id}"]);
            term?.WaitForExit();
        }

        if (!_process.WaitForExit(Patience))
        {
            _process.Kill(entireProcessTree: true);
        }

        _process.Dispose();
        _directory.Delete(recursive: true);
    }
}
