using System.Text.Json;
using L4Balancer.Tests.Systemd;

namespace L4Balancer.Tests.Packaging;

/// <summary>Packages in a systemd that has booted, with connections open.</summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
internal sealed partial class PackageTests
{
    [Test]
    [System.Runtime.Versioning.SupportedOSPlatform("linux")]
    public async Task New_version_takes_over_in_place_and_one_that_refuses_is_started_anew()
    {
        Require("dh", "debhelper");
        BootedContainer.Require(needsPublished: true);
        string second = FileIn(await Second.Value, "*.deb");
        DirectoryInfo folder = Directory.CreateTempSubdirectory("l4balancer-test-");
        try
        {
            using var container = new BootedContainer(BootedContainer.EchoConfig, "package", new Dictionary<string, string>
            {
                ["first"] = FileIn(await First.Value, "*.deb"),
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
}
