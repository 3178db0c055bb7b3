using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace L4Balancer.Engine.Tests.Packets;

/// <summary>
/// A host of a test: a network namespace, which a thread of this process is in (network_namespaces(7)). Sockets, and programs attached to interfaces, are
/// of the namespace of the thread that makes them.
/// </summary>
internal sealed class NamespaceHost : IDisposable
{
    private const int CloneNewNet = 0x40000000;

    private readonly BlockingCollection<Action> _requests = [];
    private readonly Thread _thread;
    private int _threadId;

    private NamespaceHost(string name)
    {
        Name = name;
        _thread = new Thread(Serve) { IsBackground = true, Name = name };
        _thread.Start();
    }

    public string Name { get; }

    /// <summary>Skips the test where no namespaces can be made.</summary>
    public static NamespaceHost Start(string name)
    {
        if (!Environment.IsPrivilegedProcess)
        {
            Assert.Ignore("hosts in namespaces need root");
        }

        var host = new NamespaceHost(name);
        bool made = host.Run(() => Unshare(CloneNewNet) == 0);
        if (!made)
        {
            host.Dispose();
            Assert.Ignore("unshare(2): no network namespace can be made here");
        }

        host.Run(() => host._threadId = ThreadId());
        host.Shell("ip link set lo up");
        return host;
    }

    /// <summary>Connects this host, as <c>eth0</c>, to a switch.</summary>
    public void Plug(NamespaceHost @switch) =>
        @switch.Shell($"ip link add {Name} type veth peer name eth0 netns {_threadId}; ip link set {Name} master br0 up");

    public T Run<T>(Func<T> work)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        _requests.Add(() =>
        {
            try
            {
                done.SetResult(work());
            }
            catch (Exception e)
            {
                done.SetException(e);
            }
        });
        return done.Task.WaitAsync(TimeSpan.FromSeconds(60)).GetAwaiter().GetResult();
    }

    /// <returns>What it wrote to standard output.</returns>
    public string Shell(string script) => Run(() =>
    {
        using Process process = Process.Start(
            new ProcessStartInfo("sh", ["-ec", script]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{Name}: {script}: {errors.Result.Trim()}");
    });

    public void Dispose()
    {
        _requests.CompleteAdding();
        _thread.Join();
        _requests.Dispose();
    }

    private void Serve()
    {
        foreach (Action request in _requests.GetConsumingEnumerable())
        {
            request();
        }
    }

    [DllImport("libc", EntryPoint = "unshare")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Unshare(int kinds);

    [DllImport("libc", EntryPoint = "gettid")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int ThreadId();
}
