using System.Diagnostics;
using L4Balancer.Bench.Machine;

namespace L4Balancer.Bench.Survive;

/// <summary>A process of clients or backends: it takes an order a line, and answers each by one line.</summary>
internal sealed class PeerChild : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    private readonly Process _process;
    private readonly string _name;

    public PeerChild(string name, params IEnumerable<string> arguments)
    {
        _name = name;
        string[] command = [.. OwnCommand.Line, .. arguments];
        _process = Process.Start(new ProcessStartInfo(command[0], command[1..])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        Reaper.Own(_process.Id);
    }

    public int Id => _process.Id;

    /// <summary>Sends an order, and waits for the answer.</summary>
    /// <exception cref="InvalidOperationException">The process is gone, or does not answer.</exception>
    public string Order(string order)
    {
        Begin(order);
        return Answer();
    }

    public void Begin(string order)
    {
        _process.StandardInput.WriteLine(order);
        _process.StandardInput.Flush();
    }

    public string Answer()
    {
        Task<string?> line = _process.StandardOutput.ReadLineAsync();
        return line.Wait(Patience) && line.Result is string answer
            ? answer
            : throw new InvalidOperationException($"{_name}: no answer");
    }

    public void Dispose()
    {
        _process.StandardInput.Close();
        if (!_process.WaitForExit(TimeSpan.FromSeconds(5)))
        {
            _process.Kill();
        }

        _process.Dispose();
    }
}
