using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using L4Balancer.Tests.Fronting;

namespace L4Balancer.Tests.Packaging;

/// <summary>
/// The image that <c>make image</c> builds of the published executable, and a container made from it as packaging/examples/compose says.
/// </summary>
[Platform("Linux")]
[Category(DaemonProcess.Category)]
internal sealed class ImageTests
{
    // Without a manager of control groups, on a hierarchy of its own: the machine's may be of a kind that crun does not know.
    private const string Crun = "crun --cgroup-manager=disabled";

    private static readonly string Example = Repository.PathOf("packaging", "examples", "compose");

    /// <summary>The services of compose.yaml; an engine's DNS would know their addresses.</summary>
    private static readonly (string Name, string Address)[] Backends = [("ws1", "10.0.0.21"), ("ws2", "10.0.0.22")];

    private DirectoryInfo _folder = null!;

    [SetUp]
    public void Prepare()
    {
        if (DaemonProcess.Executable is null)
        {
            Assert.Ignore("an image is made of the published executable: make test-native");
        }

        _folder = Directory.CreateTempSubdirectory("l4balancer-test-");
    }

    [TearDown]
    public void Remove() => _folder?.Delete(recursive: true);

    [Test]
    public async Task It_is_the_same_twice_and_names_what_it_holds()
    {
        string first = await BuildAsync("first");
        string second = await BuildAsync("second");
        Assert.That(await DigestAsync(second), Is.EqualTo(await DigestAsync(first)));

        DirectoryInfo layout = _folder.CreateSubdirectory("layout");
        await ShellAsync($"tar -xf {first} -C {layout}");
        foreach (FileInfo blob in layout.GetDirectories("blobs")[0].GetDirectories("sha256")[0].GetFiles())
        {
            Assert.That(await DigestAsync(blob.FullName), Is.EqualTo(blob.Name));
        }

        JsonNode manifest = Blob(layout, Read(layout, "index.json")["manifests"]![0]!);
        JsonNode config = Blob(layout, manifest["config"]!)["config"]!;
        Assert.Multiple(() =>
        {
            Assert.That((string?)Read(layout, "oci-layout")["imageLayoutVersion"], Is.EqualTo("1.0.0"));
            Assert.That((string?)config["User"], Is.EqualTo("65532:65532"));
            Assert.That((string?)config["StopSignal"], Is.EqualTo("SIGTERM"));
            Assert.That(config["ExposedPorts"]!.AsObject().Select(p => p.Key), Does.Contain("443/tcp"));
            Assert.That((string?)config["Healthcheck"]!["Test"]![1], Is.EqualTo("/usr/bin/l4balancer"));
            string layer = ((string)manifest["layers"]![0]!["digest"]!)["sha256:".Length..];
            Assert.That((string?)Read(layout, "manifest.json")[0]!["Layers"]![0], Does.EndWith(layer), "docker load");
        });
    }

    [Test]
    public async Task A_container_serves_is_healthy_and_stops_in_good_order()
    {
        await using VirtualNetwork network = await VirtualNetwork.StartAsync(["crun", "jq", "curl"]);
        VirtualHost host = await network.AddHostAsync("engine", "10.0.0.11/24");
        string bundle = await BundleAsync(host, await BuildAsync("image"));
        await RequireContainersAsync(host, bundle);
        foreach ((string name, string address) in Backends)
        {
            VirtualHost backend = await network.AddHostAsync(name, $"{address}/24");
            HostProcess echo = network.Own(new HostProcess(backend, "/usr/bin/python3", Path.Combine(Example, "echo.py"), "8080"));
            await PrintedAsync(echo, "listening");
        }

        await using var container = new HostProcess(host, "sh", "-c", $"exec {Crun} run --bundle {bundle} balancer");
        await PrintedAsync(container, "2 of 2 backends up");
        Assert.That(await EchoAsync(host), Is.EqualTo("hello"));

        string health = string.Join(' ', Config(bundle)["healthcheck"]!.AsArray().Skip(1).Select(a => (string?)a));
        Assert.That(health, Does.Contain("--healthz"));
        Assert.That(await host.ShellAsync($"{Crun} exec --user 65532:65532 balancer {health}"), Is.Empty);
        string status = await host.ShellAsync($"{Crun} exec --user 65532:65532 balancer /usr/bin/l4balancer status");
        Assert.That(status, Does.Contain("pid 1,").And.Match(@"echo\s+ring\s+2\s+2"));
        string alive = await host.ShellAsync($"""
            pid=$({Crun} state balancer | jq .pid)
            curl -s --unix-socket /proc/$pid/root/run/l4balancer/admin.sock http://localhost/healthz
            """);
        Assert.That(alive, Is.EqualTo("ok\n"));

        await host.ShellAsync($"{Crun} kill balancer TERM");
        Assert.That(await container.ExitAsync(), Is.Zero, string.Join('\n', container.Output));
        Assert.That(container.Output[^1], Does.EndWith("stopped"));
        Assert.ThrowsAsync<InvalidOperationException>(() => host.ShellAsync($"{Crun} exec balancer {health}"), "it has gone");
    }

    private static async Task<string> EchoAsync(VirtualHost host)
    {
        using var handler = new SocketsHttpHandler();
        handler.ConnectCallback = async (_, cancel) =>
        {
            Socket socket = await host.NewSocketAsync(AddressFamily.InterNetwork);
            await socket.ConnectAsync(IPEndPoint.Parse("10.0.0.11:443"), cancel);
            return new NetworkStream(socket, ownsSocket: true);
        };
        using var invoker = new HttpMessageInvoker(handler);
        using var client = new ClientWebSocket();
        using var deadline = new CancellationTokenSource(DaemonProcess.Deadline);
        await client.ConnectAsync(new Uri("ws://localhost/"), invoker, deadline.Token);
        await client.SendAsync("hello"u8.ToArray(), WebSocketMessageType.Text, endOfMessage: true, deadline.Token);
        var received = new byte[16];
        WebSocketReceiveResult result = await client.ReceiveAsync(received, deadline.Token);
        await client.CloseAsync(WebSocketCloseStatus.NormalClosure, "", deadline.Token);
        return Encoding.UTF8.GetString(received, 0, result.Count);
    }

    // Whether containers run here at all is seen with a program that does nothing but say its version.
    private static async Task RequireContainersAsync(VirtualHost host, string bundle)
    {
        try
        {
            await host.ShellAsync($"""
                mount -t cgroup2 none /sys/fs/cgroup
                echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start
                mkdir /run/trial; ln -s {bundle}/rootfs /run/trial/rootfs
                jq '.process.args = ["/usr/bin/l4balancer", "version"]' {bundle}/config.json > /run/trial/config.json
                {Crun} run --bundle /run/trial trial
                """);
        }
        catch (InvalidOperationException e)
        {
            Assert.Ignore($"no containers can run here: {e.Message}");
        }
    }

    /// <summary>
    /// What a container engine makes of the image, and of the service in compose.yaml: read-only, no capabilities, the socket on a tmpfs.
    /// </summary>
    private async Task<string> BundleAsync(VirtualHost host, string image)
    {
        string bundle = _folder.CreateSubdirectory("bundle").FullName;
        var layout = new DirectoryInfo(Path.Combine(bundle, "layout"));
        await ShellAsync($"mkdir {layout} {bundle}/rootfs; tar -xf {image} -C {layout}");
        JsonNode manifest = Blob(layout, Read(layout, "index.json")["manifests"]![0]!);
        JsonNode config = Blob(layout, manifest["config"]!)["config"]!;
        string layer = PathOf(layout, manifest["layers"]![0]!);
        await host.ShellAsync($"tar -xzf {layer} -C {bundle}/rootfs --numeric-owner --same-owner -p");
        await File.WriteAllTextAsync(Path.Combine(bundle, "hosts"), string.Concat(Backends.Select(b => $"{b.Address} {b.Name}\n")));
        JsonNode[] command = [.. config["Entrypoint"]!.AsArray().Concat(config["Cmd"]!.AsArray()).Select(a => a!.DeepClone())];
        string[] ids = ((string)config["User"]!).Split(':');
        string spec = $$"""
            {
              "ociVersion": "1.0.2",
              "root": { "path": "rootfs", "readonly": true },
              "process": {
                "user": { "uid": {{ids[0]}}, "gid": {{ids[1]}} }, "cwd": "/", "noNewPrivileges": true,
                "args": {{new JsonArray(command).ToJsonString()}},
                "env": {{config["Env"]!.ToJsonString()}},
                "capabilities": { "bounding": [], "effective": [], "permitted": [] },
                "rlimits": [{ "type": "RLIMIT_NOFILE", "soft": 4096, "hard": 4096 }]
              },
              "healthcheck": {{config["Healthcheck"]!["Test"]!.ToJsonString()}},
              "mounts": [
                { "destination": "/proc", "type": "proc", "source": "proc" },
                { "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"] },
                { "destination": "/run/l4balancer", "type": "tmpfs", "source": "tmpfs",
                  "options": ["nosuid", "nodev", "uid={{ids[0]}}", "gid={{ids[1]}}", "mode=0755"] },
                { "destination": "/etc/l4balancer/balancer.toml", "type": "bind", "source": "{{Example}}/balancer.toml",
                  "options": ["bind", "ro"] },
                { "destination": "/etc/hosts", "type": "bind", "source": "{{bundle}}/hosts", "options": ["bind", "ro"] }
              ],
              "linux": { "namespaces": [{ "type": "pid" }, { "type": "mount" }, { "type": "ipc" }, { "type": "uts" }] }
            }
            """;
        await File.WriteAllTextAsync(Path.Combine(bundle, "config.json"), spec);
        return bundle;
    }

    private async Task<string> BuildAsync(string name)
    {
        string program = Path.GetDirectoryName(DaemonProcess.Executable)!;
        string output = await ShellAsync($"{Repository.PathOf("packaging", "image")} {program} {Path.Combine(_folder.FullName, name)}");
        return output.Trim();
    }

    private static async Task PrintedAsync(HostProcess process, string text)
    {
        var waited = Stopwatch.StartNew();
        while (process.CountOf(text) == 0)
        {
            Assert.That(waited.Elapsed, Is.LessThan(DaemonProcess.Deadline), string.Join('\n', process.Output));
            await Task.Delay(20);
        }
    }

    private static async Task<string> ShellAsync(string script)
    {
        var start = new ProcessStartInfo("sh", ["-ec", script]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync().WaitAsync(DaemonProcess.Deadline);
        await process.WaitForExitAsync().WaitAsync(DaemonProcess.Deadline);
        if ((await errors).Contains("is not installed", StringComparison.Ordinal))
        {
            Assert.Ignore(await errors);
        }

        Assert.That(process.ExitCode, Is.Zero, await errors);
        return output;
    }

    private static async Task<string> DigestAsync(string file) =>
        Convert.ToHexStringLower(SHA256.HashData(await File.ReadAllBytesAsync(file)));

    private static JsonNode Config(string bundle) => Parse(Path.Combine(bundle, "config.json"));

    private static JsonNode Read(DirectoryInfo layout, string file) => Parse(Path.Combine(layout.FullName, file));

    private static JsonNode Blob(DirectoryInfo layout, JsonNode descriptor) => Parse(PathOf(layout, descriptor));

    private static JsonNode Parse(string file) => JsonNode.Parse(File.ReadAllText(file))!;

    private static string PathOf(DirectoryInfo layout, JsonNode descriptor) =>
        Path.Combine(layout.FullName, "blobs", "sha256", ((string)descriptor["digest"]!)["sha256:".Length..]);
}
