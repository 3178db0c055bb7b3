using System.Diagnostics;
using System.Text.Json;

namespace L4Balancer.Tests.Packaging;

/// <summary>The Debian package, through its life in a root of its own, and the tarball.</summary>
[Platform("Linux")]
[System.Runtime.Versioning.SupportedOSPlatform("linux")]
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class PackageTests
{
    /// <summary>What was published, or the build for these tests: the package takes what it is given, and a publish takes minutes.</summary>
    private static readonly string Program = Path.GetDirectoryName(DaemonProcess.Executable) ?? Repository.PathOf(
        "src", "L4Balancer", "bin", new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name, new DirectoryInfo(AppContext.BaseDirectory).Name);

    /// <summary>Built once, because it takes a minute: a .deb and a tarball.</summary>
    private static readonly Lazy<Task<DirectoryInfo>> First = new(() => BuildAsync("0.0.1"));

    /// <summary>As the first one, of the next version.</summary>
    private static readonly Lazy<Task<DirectoryInfo>> Second = new(() => BuildAsync("0.0.2"));

    [OneTimeTearDown]
    public static async Task Remove()
    {
        foreach (Lazy<Task<DirectoryInfo>> built in (Lazy<Task<DirectoryInfo>>[])[First, Second])
        {
            if (built.IsValueCreated && built.Value.IsCompletedSuccessfully)
            {
                (await built.Value).Delete(recursive: true);
            }
        }
    }

    [Test]
    public async Task It_is_installed_upgraded_removed_and_purged()
    {
        Require("dh", "debhelper");
        string first = DebIn(await First.Value);
        string second = DebIn(await Second.Value);
        string script = Repository.PathOf("tests", "L4Balancer.Tests", "Packaging", "package-life.sh");
        (int code, string output) = await RunAsync("unshare", "--mount", script, first, second);
        if (code != 0 && (output.Contains("mount:", StringComparison.Ordinal) || output.Contains("unshare:", StringComparison.Ordinal)))
        {
            Assert.Ignore($"no root of its own can be made here: {output.Trim()}");
        }

        Assert.That(code, Is.Zero, output);
        Dictionary<string, string> seen = output.Split('\n').Select(l => l.Split(": ", 2)).Where(l => l.Length == 2)
            .ToDictionary(l => l[0], l => l[1].Trim());
        Assert.Multiple(() =>
        {
            Assert.That(seen["installed"], Is.EqualTo("install ok installed 0.0.1"));
            Assert.That(seen["hint"], Does.Contain("edit /etc/l4balancer/balancer.toml"));
            Assert.That(seen["user"], Is.EqualTo("l4balancer:/usr/sbin/nologin"));
            Assert.That(seen["enabled"], Is.EqualTo("no"));
            Assert.That(seen["version"], Does.StartWith("l4balancer "));
            Assert.That(seen["check"], Does.Contain("/etc/l4balancer/balancer.toml: ok"));
            Assert.That(seen["manual"], Is.EqualTo("there"));
            Assert.That(seen["unit"], Is.Empty);
            Assert.That(seen["mode"], Is.EqualTo("640 root:l4balancer"));
            Assert.That(seen["mode_upgraded"], Is.EqualTo("640 root:l4balancer"));
            Assert.That(seen["conffiles"], Is.EqualTo("/etc/l4balancer/balancer.toml"));
            Assert.That(seen["upgraded"], Is.EqualTo("install ok installed 0.0.2"));
            Assert.That(seen["kept"], Is.EqualTo("1"), "what the operator changed");
            Assert.That(seen["removed"], Is.EqualTo("deinstall ok config-files"));
            Assert.That((seen["program"], seen["configuration"]), Is.EqualTo(("no", "yes")));
            Assert.That(seen["purged"], Is.EqualTo("unknown"));
            Assert.That(seen["left"], Is.EqualTo("no"));
        });
    }

    [Test]
    public async Task New_version_takes_over_in_place_and_one_that_refuses_is_started_anew()
    {
        Require("dh", "debhelper");
        Systemd.BootedContainer.Require(needsPublished: true);
        string second = DebIn(await Second.Value);
        DirectoryInfo folder = Directory.CreateTempSubdirectory("l4balancer-test-");
        try
        {
            using var container = new Systemd.BootedContainer(Systemd.BootedContainer.EchoConfig, "package", new Dictionary<string, string>
            {
                ["first"] = DebIn(await First.Value),
                ["second"] = second,
                ["refusing"] = await RefusingAsync(second, folder.FullName),
            });
            JsonElement seen = await container.RunAsync();
            TestContext.Out.WriteLine(seen.ToString());
            Assert.That(seen.TryGetProperty("error", out _), Is.False);
            JsonElement inPlace = seen.GetProperty("second");
            JsonElement anew = seen.GetProperty("refusing");
            Assert.Multiple(() =>
            {
                Assert.That(seen.GetProperty("started").GetBoolean());
                Assert.That(inPlace.GetProperty("code").GetInt32(), Is.Zero);
                Assert.That(inPlace.GetProperty("version").GetString(), Is.EqualTo("install ok installed 0.0.2"));
                Assert.That(inPlace.GetProperty("said").GetString(), Does.Contain("the new version has taken over the connections of version 0.0.1"));
                Assert.That(inPlace.GetProperty("changed").GetBoolean(), "another process");
                Assert.That(inPlace.GetProperty("program").GetString(), Is.EqualTo("/usr/lib/l4balancer/l4balancer"), "of the new file");
                Assert.That(inPlace.GetProperty("same").GetBoolean(), "nothing was restarted");
                Assert.That(inPlace.GetProperty("alive").GetInt32(), Is.EqualTo(50));
                Assert.That(inPlace.GetProperty("serves").GetInt32(), Is.EqualTo(1));
                Assert.That(anew.GetProperty("code").GetInt32(), Is.Zero, "the installation does not fail");
                Assert.That(anew.GetProperty("version").GetString(), Is.EqualTo("install ok installed 0.0.3"));
                Assert.That(anew.GetProperty("said").GetString(), Does.Contain("this build refuses").And.Contain("it is restarted"));
                Assert.That(anew.GetProperty("same").GetBoolean(), Is.False);
                Assert.That(anew.GetProperty("program").GetString(), Is.EqualTo("/usr/lib/l4balancer/other"), "the new version runs");
                Assert.That(anew.GetProperty("alive").GetInt32(), Is.Zero, "a restart closes connections");
                Assert.That(anew.GetProperty("serves").GetInt32(), Is.EqualTo(1));
                Assert.That(anew.GetProperty("restarts").GetString(), Is.EqualTo("0"));
                Assert.That(seen.GetProperty("removed")[0].GetInt32(), Is.Zero);
                Assert.That(seen.GetProperty("left").GetArrayLength(), Is.Zero, "no process is left, the keeper neither");
            });
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [TestCase(0, "process 2 has replaced 1", "has taken over", "")]
    [TestCase(1, "l4balancer: upgrade: the new process has ended; process 1 goes on", "is restarted", "restart l4balancer.service")]
    [TestCase(1, "l4balancer: upgrade: an upgrade is under way already: l4balancer status shows it", "once", "")]
    [TestCase(3, "l4balancer: no daemon", "was not reached", "")]
    public async Task Running_daemon_is_restarted_only_if_it_says_that_it_cannot_be_upgraded(int code, string says, string told, string restarted)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("l4balancer-test-");
        try
        {
            string script = await File.ReadAllTextAsync(Repository.PathOf("packaging", "debian", "l4balancer.postinst"));
            string path = Path.Combine(folder.FullName, "postinst");
            await File.WriteAllTextAsync(path, $$"""
                l4balancer() { echo "{{says}}" >&2; return {{code}}; }
                systemctl() { :; }
                deb-systemd-invoke() { echo "invoked: $*"; }
                {{script.Replace("/run/systemd/system", folder.FullName, StringComparison.Ordinal)
                    .Replace("deb-systemd-invoke", "deb_systemd_invoke", StringComparison.Ordinal)}}
                """.Replace("deb-systemd-invoke()", "deb_systemd_invoke()", StringComparison.Ordinal));
            (int ended, string output) = await RunAsync("sh", path, "configure", "0.0.1");
            Assert.That(ended, Is.Zero, output);
            Assert.That(output, Does.Contain(says).And.Contain(told));
            Assert.That(output.Contains("invoked:", StringComparison.Ordinal), Is.EqualTo(restarted.Length > 0), output);
            Assert.That(output, Does.Contain(restarted));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Test]
    public async Task The_tarball_unpacks_into_a_prefix()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("l4balancer-test-");
        try
        {
            string tarball = Directory.GetFiles((await First.Value).FullName, "*.tar.gz").Single();
            string prefix = folder.CreateSubdirectory("prefix").FullName;
            (int code, string output) = await RunAsync("tar", "-C", prefix, "--strip-components=1", "-xzf", tarball);
            Assert.That(code, Is.Zero, output);
            string[] files =
            [
                "lib/l4balancer/l4balancer", "lib/systemd/system/l4balancer.service", "lib/sysusers.d/l4balancer.conf",
                "share/man/man8/l4balancer.8", "share/man/man5/balancer.toml.5", "share/bash-completion/completions/l4balancer",
                "share/zsh/vendor-completions/_l4balancer", "share/doc/l4balancer/LICENSE", "share/doc/l4balancer/balancer.toml",
            ];
            Assert.That(files.Where(f => !File.Exists(Path.Combine(prefix, f))), Is.Empty);
            Assert.That(Directory.GetFiles(prefix, "*.dbg", SearchOption.AllDirectories), Is.Empty, "debug symbols stay where it was built");
            Assert.That(new FileInfo(Path.Combine(prefix, "bin", "l4balancer")).LinkTarget, Is.EqualTo("../lib/l4balancer/l4balancer"));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Test]
    public async Task The_unit_is_as_closed_as_it_says()
    {
        Require("systemd-analyze", "systemd");
        DirectoryInfo folder = Directory.CreateTempSubdirectory("l4balancer-test-");
        try
        {
            string unit = await File.ReadAllTextAsync(Repository.PathOf("packaging", "systemd", "l4balancer.service"));
            string path = Path.Combine(folder.FullName, "l4balancer.service");
            await File.WriteAllTextAsync(path, unit);
            (int code, string output) = await RunAsync("systemd-analyze", "security", "--offline=true", "--threshold=15", path);
            Assert.That(code, Is.Zero, output);
            await File.WriteAllTextAsync(path, string.Join('\n', unit.Split('\n').Where(l => !l.StartsWith("Protect", StringComparison.Ordinal))));
            (code, _) = await RunAsync("systemd-analyze", "security", "--offline=true", "--threshold=15", path);
            Assert.That(code, Is.Not.Zero, "the threshold is no obstacle");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    // The package of the next version, whose program does all but `check`.
    private static async Task<string> RefusingAsync(string package, string folder)
    {
        string tree = Path.Combine(folder, "tree");
        string refusing = Path.Combine(folder, "refusing.deb");
        string program = Path.Combine(tree, "usr", "lib", "l4balancer");
        (int code, string output) = await RunAsync("dpkg-deb", "--raw-extract", package, tree);
        Assert.That(code, Is.Zero, output);
        string control = Path.Combine(tree, "DEBIAN", "control");
        await File.WriteAllTextAsync(control, (await File.ReadAllTextAsync(control)).Replace("Version: 0.0.2", "Version: 0.0.3", StringComparison.Ordinal));
        File.Move(Path.Combine(program, "l4balancer"), Path.Combine(program, "other"));
        await File.WriteAllTextAsync(
            Path.Combine(program, "l4balancer"),
            "#!/bin/sh\nif [ \"$1\" = check ]; then echo 'this build refuses' >&2; exit 2; fi\nexec /usr/lib/l4balancer/other \"$@\"\n");
        File.SetUnixFileMode(
            Path.Combine(program, "l4balancer"),
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute
            | UnixFileMode.OtherRead | UnixFileMode.OtherExecute);
        (code, output) = await RunAsync("dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", tree, refusing);
        Assert.That(code, Is.Zero, output);
        return refusing;
    }

    private static string DebIn(DirectoryInfo folder) => Directory.GetFiles(folder.FullName, "*.deb").SingleOrDefault() ?? "";

    private static async Task<DirectoryInfo> BuildAsync(string version)
    {
        Require("make", "make");
        Require("perl", "perl");
        DirectoryInfo folder = Directory.CreateTempSubdirectory("l4balancer-test-");
        (int code, string output) = await RunAsync(Repository.PathOf("packaging", "package"), Program, folder.FullName, version);
        Assert.That(code, Is.Zero, output);
        return folder;
    }

    private static void Require(string command, string package)
    {
        bool there = Environment.GetEnvironmentVariable("PATH")!.Split(':').Any(d => File.Exists(Path.Combine(d, command)));
        if (!there)
        {
            Assert.Ignore($"{package} is not installed: make test-deps");
        }
    }

    private static async Task<(int Code, string Output)> RunAsync(string command, params string[] args)
    {
        using Process process = Process.Start(new ProcessStartInfo(command, args) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string errors = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output + errors);
    }
}
