using System.Diagnostics;
using System.Text.Json;

namespace L4Balancer.Tests.Systemd;

/// <summary>
/// A Debian that boots in systemd-nspawn out of this system's own /usr, with a network of its own, the units of the package and the built
/// daemon. It runs one script as a service, which writes what it saw and powers the container off.
/// </summary>
[System.Runtime.Versioning.SupportedOSPlatform("linux")]
internal sealed class BootedContainer : IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(120);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("l4balancer-booted-");
    private readonly string _name;
    private readonly string _scenario;
    private readonly bool _hasPackages;
    private readonly bool _hasBpf;

    /// <param name="scenario">The script in the folder <c>booted</c>, without its <c>.py</c>.</param>
    /// <param name="packages">Names and files of packages, for <c>/packages</c>. With them the program and its unit are theirs, and /usr can be written to.</param>
    /// <param name="hasBpf">Root in it may load programs into the kernel.</param>
    public BootedContainer(
        string configuration, string scenario = "scenario", IReadOnlyDictionary<string, string>? packages = null, bool hasBpf = false)
    {
        (_name, _scenario, _hasPackages, _hasBpf) = (_folder.Name, scenario, packages is not null, hasBpf);

        // It is the root of everybody in there, not of root alone.
        File.SetUnixFileMode(
            _folder.FullName,
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute
            | UnixFileMode.OtherRead | UnixFileMode.OtherExecute);
        foreach (string directory in new[] { "usr", "var", "run", "tmp", "proc", "sys", "dev", "opt/l4balancer", "opt/dotnet", "results", "scenario" })
        {
            Directory.CreateDirectory(In(directory));
        }

        foreach (string link in new[] { "bin", "sbin", "lib", "lib64" })
        {
            File.CreateSymbolicLink(In(link), $"usr/{link}");
        }

        Write("etc/machine-id", "");
        Write("etc/os-release", File.ReadAllText("/etc/os-release"));
        Write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nl4balancer:x:990:990::/:/usr/sbin/nologin\n");
        Write("etc/group", "root:x:0:\nl4balancer:x:990:\n");
        Write("etc/hosts", "127.0.0.1 localhost backend.test\n");
        Write("etc/nsswitch.conf", "hosts: files\n");
        Write("etc/l4balancer/balancer.toml", configuration);
        if (packages is null)
        {
            Write("etc/systemd/system/l4balancer.service", Unit());
            Write("etc/systemd/system/l4balancer.socket", SocketUnit());
        }

        foreach ((string name, string file) in packages ?? new Dictionary<string, string>())
        {
            Directory.CreateDirectory(In("packages"));
            File.Copy(file, In($"packages/{name}.deb"));
        }

        Write("etc/systemd/system/scenario.service", $"""
            [Unit]
            Description=What the test does
            [Service]
            ExecStart=/usr/bin/python3 /scenario/{_scenario}.py
            """);
        // The users of the packages that are installed here are of no use there.
        File.CreateSymbolicLink(In("etc/systemd/system/systemd-sysusers.service"), "/dev/null");
        Write("etc/systemd/system/scenario.target", """
            [Unit]
            Requires=basic.target
            After=basic.target
            Wants=scenario.service
            """);
    }

    /// <summary>One listener, and the echo backend that every script starts.</summary>
    public const string EchoConfig = """
        [balancer]
        shutdown_grace = "1s"
        [[listeners]]
        name = "wss"
        bind = ["127.0.0.1:8443", "127.0.0.2:8443"]
        pool = "chat"
        [[pools]]
        name = "chat"
        health = { type = "none" }
        [[pools.backends]]
        name = "ws1"
        address = "backend.test:9000"
        """;

    /// <summary>Skips the test where this cannot be.</summary>
    /// <param name="needsPublished">The unit is to be the shipped one, with all of its hardening, which the portable build cannot run under.</param>
    public static void Require(bool needsPublished = false)
    {
        string? lacking = needsPublished && DaemonProcess.Executable is null ? "needs the published executable: make test-native"
            : !Environment.IsPrivilegedProcess ? "only root can boot a container"
            : !File.Exists("/usr/bin/systemd-nspawn") ? "systemd-nspawn is not installed: make test-deps"
            : !File.Exists("/usr/bin/python3") ? "Debian's python3 is not installed"
            : !Directory.Exists("/sys/fs/cgroup") ? "there are no cgroups"
            : !new DirectoryInfo("/lib").LinkTarget?.EndsWith("usr/lib", StringComparison.Ordinal) ?? true ? "/usr is not merged"
            : null;
        if (lacking is not null)
        {
            Assert.Ignore(lacking);
        }
    }

    /// <returns>What the script saw.</returns>
    public async Task<JsonElement> RunAsync()
    {
        string dotnet = Path.GetDirectoryName(new FileInfo(Environment.ProcessPath!).ResolveLinkTarget(true)?.FullName ?? Environment.ProcessPath)!;
        string[] nspawn =
        [
            "systemd-nspawn", "--quiet", "--boot", "--register=no", "--private-network", "--console=pipe", "--kill-signal=SIGRTMIN+4",
            $"--machine={_name}", $"--directory={_folder.FullName}", .. _hasPackages ? Array.Empty<string>() : ["--bind-ro=/usr"],
            $"--bind-ro={dotnet}:/opt/dotnet", $"--bind-ro={Program}:/opt/l4balancer",
            $"--bind-ro={Repository.PathOf("tests", "L4Balancer.Tests", "Systemd", "booted")}:/scenario",
            .. _hasBpf ? ["--capability=CAP_BPF,CAP_PERFMON", "--system-call-filter=bpf", $"--bind-ro={Repository.PathOf("packaging")}:/packaging"] : Array.Empty<string>(),
        ];
        string script = (Directory.Exists("/run/systemd/system") ? "" : OwnGroup()) + (_hasPackages ? OwnPackages() : "") + "exec \"$@\"";
        string[] keep = Directory.Exists("/run/systemd/system") ? [] : ["--keep-unit"];
        using Process process = Process.Start(new ProcessStartInfo(
            "unshare", ["--mount", "sh", "-ec", script, "sh", .. nspawn, .. keep, "--", "systemd.unit=scenario.target"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,

            // Else nothing can be mounted in /sys.
            Environment = { ["SYSTEMD_NSPAWN_API_VFS_WRITABLE"] = _hasBpf ? "yes" : "no" },
        })!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        using var patience = new CancellationTokenSource(Deadline);
        try
        {
            await process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            await EndAsync(process);
        }

        string seen = In("results/seen.json");
        if (!File.Exists(seen))
        {
            // What keeps a container from booting is this machine's, not the daemon's.
            string why = (await errors + await output).Trim();
            Assert.Ignore($"the container did not come to its test: {why[..Math.Min(why.Length, 500)]}");
        }

        return JsonDocument.Parse(await File.ReadAllTextAsync(seen)).RootElement;
    }

    public void Dispose()
    {
        foreach (string root in Groups().Where(Directory.Exists))
        {
            foreach (string group in Directory.GetDirectories(root, "*", SearchOption.AllDirectories).OrderByDescending(g => g.Length).Append(root))
            {
                try
                {
                    Directory.Delete(group);
                }
                catch (IOException)
                {
                    // Something still ends in it; an empty group costs nothing.
                }
            }
        }

        _folder.Delete(recursive: true);
    }

    // Only the process that was started: SIGTERM shuts the container down, SIGKILL would leave it running.
    private static async Task EndAsync(Process process)
    {
        using Process kill = Process.Start("kill", ["-TERM", process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        await process.WaitForExitAsync(patience.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    // Without a systemd that would make one, the container gets a group of its own beside everybody else's.
    private string OwnGroup() =>
        $"for group in {string.Join(' ', Groups())}; do mkdir -p $group && echo $$ > $group/cgroup.procs; done; ";

    // In a mount namespace of its own: /usr and the database of packages are this system's, with what is written to them above, in memory. A policy that keeps
    // packages from starting services on this system (policy-rc.d) does not hold there, nor do overrides that name users of it.
    private string OwnPackages() =>
        $"cd {_folder.FullName}; mkdir layers; mount -t tmpfs none layers; mkdir -p layers/usr layers/dpkg layers/work/usr layers/work/dpkg var/lib/dpkg; "
        + "mount -t overlay overlay -o lowerdir=/usr,upperdir=layers/usr,workdir=layers/work/usr usr; "
        + "mount -t overlay overlay -o lowerdir=/var/lib/dpkg,upperdir=layers/dpkg,workdir=layers/work/dpkg var/lib/dpkg; "
        + "rm -f usr/sbin/policy-rc.d; : > var/lib/dpkg/statoverride; cd /; ";

    private IEnumerable<string> Groups() =>
        new[] { "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup" }
            .Where(g => File.Exists(Path.Combine(g, "cgroup.procs"))).Select(g => Path.Combine(g, _name));

    // The folder of what the tests run as l4balancer.
    private static string Program => Path.GetDirectoryName(DaemonProcess.Executable) ?? AppContext.BaseDirectory.TrimEnd('/');

    private static string Unit()
    {
        string unit = File.ReadAllText(Repository.PathOf("packaging", "systemd", "l4balancer.service"))
            .Replace("WatchdogSec=30s", "WatchdogSec=3s", StringComparison.Ordinal);
        const string installed = "/usr/local/bin/l4balancer ";

        // The runtime that the build beside the tests needs compiles to memory that it then executes; what is shipped does not.
        return DaemonProcess.Executable is string executable
            ? unit.Replace(installed, $"/opt/l4balancer/{Path.GetFileName(executable)} ", StringComparison.Ordinal)
            : unit.Replace(installed, "/opt/dotnet/dotnet /opt/l4balancer/l4balancer.dll ", StringComparison.Ordinal)
                .Replace("MemoryDenyWriteExecute=yes\n", "", StringComparison.Ordinal);
    }

    private static string SocketUnit()
    {
        string unit = File.ReadAllText(Repository.PathOf("packaging", "systemd", "l4balancer.socket"));
        return unit.Replace("ListenStream=0.0.0.0:443", "ListenStream=127.0.0.1:8443", StringComparison.Ordinal)
            .Replace("ListenStream=[::]:443", "ListenStream=127.0.0.2:8443", StringComparison.Ordinal);
    }

    private string In(string path) => Path.Combine(_folder.FullName, path);

    private void Write(string path, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(In(path))!);
        File.WriteAllText(In(path), text + (text.EndsWith('\n') || text.Length == 0 ? "" : "\n"));
    }
}
