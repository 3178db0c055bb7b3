using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace L4Balancer.Tests.Fronting;

/// <summary>
/// A host of a test: a network namespace and a mount namespace of its own, in which <c>/run</c> is empty and <c>/etc</c> is a layer over
/// that of the machine. It exists until it is disposed of; if the test process is killed, its holder reads the end of its input and ends.
/// </summary>
internal sealed class VirtualHost : IAsyncDisposable
{
    // The first line says that the mounts are made.
    private const string SetUp = """
        set -e
        mount -t tmpfs tmpfs /run
        mkdir -p /run/layer/upper /run/layer/work
        mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/layer/upper,workdir=/run/layer/work /etc
        ip link set lo up
        echo up
        exec cat
        """;

    private const int CloneNewNet = 0x40000000;

    private readonly Process _holder;
    private readonly BlockingCollection<Action> _requests = [];
    private readonly Thread _thread;

    private VirtualHost(string name, Process holder)
    {
        Name = name;
        _holder = holder;
        _thread = new Thread(Serve) { IsBackground = true, Name = $"sockets of {name}" };
        _thread.Start();
    }

    public string Name { get; }

    /// <summary>A process inside: its namespaces are those of the host.</summary>
    public int HolderId => _holder.Id;

    /// <summary>What a command line begins with to run here; each of these programs executes the next.</summary>
    public string[] Enter => ["nsenter", $"--target={_holder.Id}", "--net", "--mount", "--"];

    public static async Task<VirtualHost> StartAsync(string name)
    {
        var start = new ProcessStartInfo("unshare", ["--net", "--mount", "sh", "-c", SetUp])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        Process holder = Process.Start(start)!;
        string? line = await holder.StandardOutput.ReadLineAsync().WaitAsync(DaemonProcess.Deadline);
        if (line != "up")
        {
            string errors = await holder.StandardError.ReadToEndAsync().WaitAsync(DaemonProcess.Deadline);
            holder.Dispose();
            throw new InvalidOperationException(errors.Trim());
        }

        return new VirtualHost(name, holder);
    }

    /// <summary>Runs a script here to its end.</summary>
    /// <exception cref="InvalidOperationException">It failed; the message is what it wrote to standard error.</exception>
    /// <returns>What it wrote to standard output.</returns>
    public async Task<string> ShellAsync(string script)
    {
        var start = new ProcessStartInfo("nsenter", [.. Enter[1..], "sh", "-ec", script])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync().WaitAsync(DaemonProcess.Deadline);
        await process.WaitForExitAsync().WaitAsync(DaemonProcess.Deadline);
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{Name}: {(await errors).Trim()}");
    }

    /// <summary>Copies files of an example to where its README puts them.</summary>
    /// <param name="example">Its folder in packaging/examples.</param>
    /// <param name="folder">The folder on the host.</param>
    /// <param name="files">Names, or "name as other name".</param>
    public async Task InstallAsync(string example, string folder, params string[] files)
    {
        await ShellAsync($"mkdir -p {folder}");
        foreach (string file in files)
        {
            string[] names = file.Split(" as ");
            await ShellAsync($"cp {Repository.PathOf("packaging", "examples", example, names[0])} {folder}/{names[^1]}");
        }
    }

    /// <summary>From now on every packet from and to these addresses is dropped here (nft).</summary>
    public Task CutAsync(params IEnumerable<string> addresses)
    {
        string them = $"{{ {string.Join(", ", addresses)} }}";
        return ShellAsync($$"""
            nft -f - <<END
            table inet cut {
                chain arriving { type filter hook input priority 0; ip saddr {{them}} drop; }
                chain leaving { type filter hook output priority 0; ip daddr {{them}} drop; }
            }
            END
            """);
    }

    /// <summary>Ends what <see cref="CutAsync"/> has begun.</summary>
    public Task MendAsync() => ShellAsync("nft delete table inet cut");

    /// <summary>A TCP socket of this host; what is done with it later may be done on any thread.</summary>
    public Task<Socket> NewSocketAsync(AddressFamily family) => MakeAsync(() => new Socket(family, SocketType.Stream, ProtocolType.Tcp));

    /// <summary>Makes what belongs to the network of this host from then on.</summary>
    public async Task<T> MakeAsync<T>(Func<T> make)
    {
        var made = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        _requests.Add(() =>
        {
            try
            {
                made.SetResult(make());
            }
            catch (Exception e)
            {
                made.SetException(e);
            }
        });
        return await made.Task;
    }

    public async ValueTask DisposeAsync()
    {
        _requests.CompleteAdding();
        _thread.Join();
        _requests.Dispose();
        _holder.StandardInput.Close();
        await _holder.WaitForExitAsync();
        _holder.Dispose();
    }

    // A namespace belongs to a thread (setns(2)): this one enters the host's and never leaves it.
    private void Serve()
    {
        using (var space = File.OpenHandle($"/proc/{_holder.Id}/ns/net"))
        {
            if (SetNamespace((int)space.DangerousGetHandle(), CloneNewNet) != 0)
            {
                throw new InvalidOperationException($"setns: error {Marshal.GetLastPInvokeError()}");
            }
        }

        foreach (Action request in _requests.GetConsumingEnumerable())
        {
            request();
        }
    }

    [DllImport("libc", EntryPoint = "setns", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SetNamespace(int descriptor, int kind);
}
