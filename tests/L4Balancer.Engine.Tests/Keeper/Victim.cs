using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Keeper;

/// <summary>A process with a keeper, and its connections as their other ends have them.</summary>
[SupportedOSPlatform("linux")]
internal sealed class Victim : IDisposable
{
    /// <summary>A process of .NET has to start on a machine that is busy.</summary>
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly List<Socket> _clients = [];

    private Victim(Process process, string path)
    {
        _process = process;
        Path = path;
    }

    public string Path { get; }

    public int Keeper { get; private set; }

    public int Port { get; private set; }

    /// <summary>The descriptor of its listening socket.</summary>
    public int Listening { get; private set; }

    public static async Task<Victim> StartAsync(string path, int timeoutMilliseconds = 60_000)
    {
        string dotnet = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        string[] body = ["keeper-victim", KeeperCode.Require(), path, timeoutMilliseconds.ToString(CultureInfo.InvariantCulture)];
        var start = new ProcessStartInfo(dotnet, ["exec", typeof(Victim).Assembly.Location, .. body])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        var victim = new Victim(Process.Start(start)!, path);
        try
        {
            string[] said = await victim.ReadAsync(StartLimit);
            (victim.Keeper, victim.Port, victim.Listening) = (Number(said[0]), Number(said[1]), Number(said[2]));
            return victim;
        }
        catch
        {
            victim.Dispose();
            throw;
        }
    }

    /// <summary>Connects, and is accepted.</summary>
    /// <returns>This end, and the descriptor and the cookie of the other.</returns>
    public async Task<(Socket Client, int Descriptor, ulong Cookie)> OpenAsync()
    {
        Socket client = await ConnectAsync();
        string[] said = await AskAsync("accept");
        return (client, Number(said[0]), ulong.Parse(said[1], CultureInfo.InvariantCulture));
    }

    public async Task<Socket> ConnectAsync()
    {
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 15_000 };
        _clients.Add(client);
        await client.ConnectAsync(new IPEndPoint(IPAddress.Loopback, Port)).Soon();
        return client;
    }

    /// <summary>One line, and the words of the answer.</summary>
    public async Task<string[]> AskAsync(string line)
    {
        await _process.StandardInput.WriteLineAsync(line);
        await _process.StandardInput.FlushAsync();
        return await ReadAsync(Patience.Limit);
    }

    /// <summary>SIGKILL, and until the kernel has ended it.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync().Soon();
    }

    /// <summary>Whether a process has ended, even if nobody has waited for it.</summary>
    public static bool HasEnded(int id)
    {
        try
        {
            string stat = File.ReadAllText($"/proc/{id}/stat");
            return stat[(stat.LastIndexOf(')') + 2)..].StartsWith('Z');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return true;
        }
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }

        if (Keeper > 0 && !HasEnded(Keeper) && File.ReadAllText($"/proc/{Keeper}/comm").Trim() == "l4b-keeper")
        {
            using Process keeper = Process.GetProcessById(Keeper);
            keeper.Kill();
        }

        _process.Dispose();
        _clients.ForEach(c => c.Dispose());
    }

    private async Task<string[]> ReadAsync(TimeSpan limit) =>
        (await _process.StandardOutput.ReadLineAsync().WaitAsync(limit) ?? throw new EndOfStreamException("the victim has ended")).Split(' ');

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
