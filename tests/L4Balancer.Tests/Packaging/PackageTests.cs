using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace L4Balancer.Tests.Packaging;

/// <summary>The Debian package and the RPM, each through its life in a root of its own, the tarball, and the bill of materials.</summary>
[Platform("Linux")]
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed partial class PackageTests
{
    /// <summary>What was published, or the build for these tests: the package takes what it is given, and a publish takes minutes.</summary>
    private static readonly string Program = Path.GetDirectoryName(DaemonProcess.Executable) ?? Repository.PathOf(
        "src", "L4Balancer", "bin", new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name, new DirectoryInfo(AppContext.BaseDirectory).Name);

    /// <summary>Built once, because it takes long: a .deb, an .rpm, a tarball, a bill of materials. So is the version after it.</summary>
    private static readonly Lazy<Task<DirectoryInfo>> First = new(() => BuildAsync("0.0.1"));

    private static readonly Lazy<Task<DirectoryInfo>> Second = new(() => BuildAsync("0.0.2"));

    [OneTimeTearDown]
    public static async Task Remove()
    {
        foreach (Lazy<Task<DirectoryInfo>> built in new[] { First, Second }.Where(b => b.IsValueCreated && b.Value.IsCompletedSuccessfully))
        {
            (await built.Value).Delete(recursive: true);
        }
    }

    [Test]
    public async Task It_is_installed_upgraded_removed_and_purged()
    {
        Require("dh", "debhelper");
        Dictionary<string, string> seen = await LiveAsync("package-life.sh", FileIn(await First.Value, "*.deb"), FileIn(await Second.Value, "*.deb"));
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
            Assert.That(seen["documents"], Is.EqualTo("11 yes"));
            Assert.That(seen["example"], Does.Contain("balancer.toml.example: ok"));
            Assert.That(seen["bash"], Does.Contain("complete -F _l4balancer l4balancer"));
            if (Has("zsh"))
            {
                Assert.That(seen["zsh"], Is.EqualTo("found"));
            }

            if (Has("fish"))
            {
                Assert.That(seen["fish"], Is.EqualTo("drain"));
            }

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
    public async Task The_rpm_is_installed_upgraded_and_removed()
    {
        Require("rpmbuild", "rpm");
        Dictionary<string, string> seen = await LiveAsync("rpm-life.sh", FileIn(await First.Value, "*.rpm"), FileIn(await Second.Value, "*.rpm"));
        Assert.Multiple(() =>
        {
            Assert.That(seen["installed"], Does.StartWith("l4balancer-0.0.1-1."));
            Assert.That(seen["hint"], Does.Contain("edit /etc/l4balancer/balancer.toml"));
            Assert.That(seen["user"], Is.EqualTo("l4balancer:/usr/sbin/nologin"));
            Assert.That(seen["version"], Does.StartWith("l4balancer "));
            Assert.That(seen["check"], Does.Contain("/etc/l4balancer/balancer.toml: ok"));
            Assert.That(seen["mode"], Is.EqualTo("640 root:l4balancer"));
            Assert.That(seen["verified"], Is.Empty, "rpm -V");
            Assert.That(seen["upgraded"], Does.StartWith("l4balancer-0.0.2-1."));
            Assert.That(seen["kept"], Is.EqualTo("1"), "what the operator changed");
            Assert.That(seen["mode_upgraded"], Is.EqualTo("640 root:l4balancer"));
            Assert.That(seen["removed"], Is.EqualTo("no"));
        });
    }

    [Test]
    public async Task Lintian_finds_nothing()
    {
        Require("dh", "debhelper");
        Require("lintian", "lintian");
        (int code, string output) = await RunAsync("lintian", "--allow-root", FileIn(await First.Value, "*.deb"));
        Assert.That(code, Is.Zero, output);

        // The assemblies of a build for tests are not what is shipped; those of the native build are looked at in its own run.
        bool isShipped = DaemonProcess.Executable is not null;
        Assert.That(
            output.Split('\n').Where(l => l.Length > 0 && (isShipped || !l.Contains("[usr/lib/l4balancer/", StringComparison.Ordinal))), Is.Empty);
    }

    [Test]
    public async Task The_same_program_commit_and_version_give_the_same_bytes()
    {
        DirectoryInfo again = await BuildAsync("0.0.1");
        try
        {
            DirectoryInfo first = await First.Value;
            string[] names = [.. first.GetFiles().Select(f => f.Name).Order()];
            Assert.That(again.GetFiles().Select(f => f.Name).Order(), Is.EqualTo(names));
            Assert.That(names.Select(n => HashOf(again, n)), Is.EqualTo(names.Select(n => HashOf(first, n))), string.Join(", ", names));
        }
        finally
        {
            again.Delete(recursive: true);
        }

        static string HashOf(DirectoryInfo folder, string name) => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(Path.Combine(folder.FullName, name))));
    }

    [Test]
    public async Task The_bill_of_materials_names_what_the_program_is_made_of()
    {
        Require("jq", "jq");
        JsonElement bill = JsonDocument.Parse(await File.ReadAllTextAsync(FileIn(await First.Value, "*.cdx.json"))).RootElement;
        JsonElement[] parts = [.. bill.GetProperty("components").EnumerateArray()];
        string[] wanted = [.. Package().Matches(await File.ReadAllTextAsync(Repository.PathOf("src", "L4Balancer", "L4Balancer.csproj"))).Select(m => m.Groups[1].Value)];
        Assert.Multiple(() =>
        {
            Assert.That((bill.GetProperty("bomFormat").GetString(), bill.GetProperty("specVersion").GetString()), Is.EqualTo(("CycloneDX", "1.6")));
            Assert.That(bill.GetProperty("metadata").GetProperty("component").GetProperty("version").GetString(), Is.EqualTo("0.0.1"));
            Assert.That(parts.Select(p => p.GetProperty("name").GetString()), Is.SupersetOf(wanted).And.Some.Contains("Tomlyn").And.Some.StartsWith("Microsoft.NETCore.App"));
            Assert.That(parts.Select(p => p.GetProperty("bom-ref").GetString()), Is.Unique);
            Assert.That(bill.GetProperty("dependencies")[0].GetProperty("dependsOn").GetArrayLength(), Is.EqualTo(parts.Length));
            foreach (JsonElement part in parts)
            {
                string? license = part.GetProperty("licenses")[0].GetProperty("license").GetProperty("id").GetString();
                Assert.That(license, Is.AnyOf("MIT", "Apache-2.0", "BSD-2-Clause"), part.ToString());
                Assert.That(part.GetProperty("version").GetString(), Does.Match(@"^\d+\.\d+"));
            }
        });
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
                "share/zsh/site-functions/_l4balancer", "share/fish/vendor_completions.d/l4balancer.fish", "share/doc/l4balancer/LICENSE",
                "share/doc/l4balancer/balancer.toml", "share/doc/l4balancer/docs/admin.md", "share/doc/l4balancer/packaging/prometheus/alerts.yml",
                "share/doc/l4balancer/packaging/systemd/packet-mode.conf",
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

    private static string FileIn(DirectoryInfo folder, string pattern) => Directory.GetFiles(folder.FullName, pattern).SingleOrDefault() ?? "";

    /// <returns>What the script saw in a root of its own, by name.</returns>
    private static async Task<Dictionary<string, string>> LiveAsync(string script, string first, string second)
    {
        string path = Repository.PathOf("tests", "L4Balancer.Tests", "Packaging", script);
        (int code, string output) = await RunAsync("unshare", "--mount", path, first, second);
        if (code != 0 && (output.Contains("mount:", StringComparison.Ordinal) || output.Contains("unshare:", StringComparison.Ordinal)))
        {
            Assert.Ignore($"no root of its own can be made here: {output.Trim()}");
        }

        Assert.That(code, Is.Zero, output);
        return output.Split('\n').Select(l => l.Split(": ", 2)).Where(l => l.Length == 2).ToDictionary(l => l[0], l => l[1].Trim());
    }

    private static async Task<DirectoryInfo> BuildAsync(string version)
    {
        Require("make", "make");
        Require("perl", "perl");
        DirectoryInfo folder = Directory.CreateTempSubdirectory("l4balancer-test-");
        (int code, string output) = await RunAsync(Repository.PathOf("packaging", "package"), Program, folder.FullName, version);
        Assert.That(code, Is.Zero, output);
        return folder;
    }

    private static bool Has(string command) => Environment.GetEnvironmentVariable("PATH")!.Split(':').Any(d => File.Exists(Path.Combine(d, command)));

    private static void Require(string command, string package)
    {
        if (!Has(command))
        {
            Assert.Ignore($"{package} is not installed: make test-deps");
        }
    }

    private static async Task<(int Code, string Output)> RunAsync(string command, params string[] args)
    {
        var start = new ProcessStartInfo(command, args) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["PACKAGE_FAST"] = "1";
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string errors = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output + errors);
    }

    [GeneratedRegex("<PackageReference Include=\"(.*?)\"")]
    private static partial Regex Package();
}
