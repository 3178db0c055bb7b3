using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using L4Balancer.Tests.Hosting;

namespace L4Balancer.Tests.Upgrade;

/// <summary>
/// Each process is killed, stopped or wrong at each step of an upgrade. Afterwards one process serves, every connection that it is to have has its
/// bytes, and the next upgrade works. Without a keeper (a build made without a C compiler) the connections of the process that is killed are lost.
/// Of each kind of fault the portable build proves one, and the published one, which starts in a fraction of the time, proves all.
/// </summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.All)]
internal sealed class UpgradeFaultTests
{
    private const int Many = 40;

    internal static bool HasKeeper => DaemonProcess.Executable is not null || File.Exists(Path.Combine(AppContext.BaseDirectory, "libl4b_keeper.so"));

    [TestCase("new.hello:kill", "the new process has ended")]
    [TestCase("new.hello:other-version", "speaks the versions 2 to 2", Category = DaemonProcess.OfPublished)]
    [TestCase("new.hello:next-mandatory", "which this version must know", Category = DaemonProcess.OfPublished)]
    [TestCase("new.prepare:exit", "the new process has ended (exit code 1)", Category = DaemonProcess.OfPublished)]
    [TestCase("new.prepared:stop", "the new process did not send", Category = DaemonProcess.OfPublished)]
    [TestCase("new.state:kill", "the new process has ended", Category = DaemonProcess.OfPublished)]
    [TestCase("new.serving:hang", "the new process did not send Answer", Category = DaemonProcess.OfPublished)]
    [TestCase("new.slice@2:kill", "the new process has ended")]
    [TestCase("new.slice@2:stop", "the new process did not send Answer within 1s")]
    public async Task The_old_process_goes_on_with_all_connections_if_the_new_one_fails(string fault, string why)
    {
        await using Scene scene = await Scene.StartAsync(fault);
        (int code, _, string errors) = await scene.Family.CommandAsync("upgrade");
        Assert.That((code, errors), Is.EqualTo((1, errors)));
        Assert.That(errors, Does.StartWith("l4balancer: upgrade: ").And.Contain(why).And.EndWith($"; process {scene.Family.First.Id} goes on"));
        Assert.That(await scene.Family.ServingAsync(), Is.EqualTo(scene.Family.First.Id));
        Assert.That(await scene.LostAsync(), Is.Zero, scene.Said);
        Assert.That(await OneBackend.ScrapeAsync(scene.Family.First), Does.Contain("l4balancer_upgrades_total{result=\"failure\"} 1\n"));
        await scene.NextUpgradeWorksAsync();
        Assert.That(await scene.LostAsync(), Is.Zero, scene.Said);
    }

    [TestCase("old.serving:kill", true, Category = DaemonProcess.OfPublished)]
    [TestCase("old.sent:kill", true)]
    [TestCase("old.answered:kill", false, Category = DaemonProcess.OfPublished)]
    [TestCase("old.committed:kill", false)]
    [TestCase("old.moved:kill", false, Category = DaemonProcess.OfPublished)]
    [TestCase("old.main:kill", false, Category = DaemonProcess.OfPublished)]
    [TestCase("old.settled:kill", false, Category = DaemonProcess.OfPublished)]
    public async Task The_new_process_goes_on_alone_if_the_old_one_is_killed(string fault, bool needsKeeper)
    {
        await using Scene scene = await Scene.StartAsync(fault);
        (int code, string output, string errors) = await scene.Family.CommandAsync("upgrade");
        Assert.That(code, Is.Zero, $"{output}{errors}\n{string.Join('\n', scene.Family.First.Output)}");
        Assert.That(scene.Family.First.HasExited);
        Assert.That(await scene.LostAsync(), needsKeeper && !HasKeeper ? Is.EqualTo(Many) : Is.Zero, scene.Said);
        await scene.NextUpgradeWorksAsync();
    }

    [TestCase("new.answered@2:kill", Category = DaemonProcess.OfPublished)]
    [TestCase("new.committed@2:kill")]
    [TestCase("new.taken@2:kill", Category = DaemonProcess.OfPublished)]
    [TestCase("new.taken@2:term")]
    [TestCase("new.rest:kill", Category = DaemonProcess.OfPublished)]
    public async Task The_old_process_goes_on_if_the_new_one_is_killed_with_connections(string fault)
    {
        await using Scene scene = await Scene.StartAsync(fault);
        (int code, _, string errors) = await scene.Family.CommandAsync("upgrade");
        Assert.That((code, errors), Is.EqualTo((1, errors)));
        Assert.That(await scene.Family.ServingAsync(), Is.EqualTo(scene.Family.First.Id));
        Assert.That(await scene.LostAsync(), HasKeeper ? Is.Zero : Is.LessThanOrEqualTo(Many), scene.Said);
        await scene.NextUpgradeWorksAsync();
    }

    /// <summary>The new process has a keeper and dies with what it was sent; of that the old one has no ledger.</summary>
    [Test]
    public async Task An_old_process_without_a_keeper_keeps_its_connections_if_the_new_one_is_killed_with_them()
    {
        await using Scene scene = await Scene.StartAsync("new.slice@2:kill", "keeper = false");
        string config = await File.ReadAllTextAsync(scene.Family.Config);
        await File.WriteAllTextAsync(scene.Family.Config, config.Replace("keeper = false", "keeper = true", StringComparison.Ordinal));
        (int code, _, string errors) = await scene.Family.CommandAsync("upgrade");
        Assert.That((code, errors), Is.EqualTo((1, errors)));
        Assert.That(await scene.Family.ServingAsync(), Is.EqualTo(scene.Family.First.Id));
        Assert.That(await scene.LostAsync(), Is.Zero, scene.Said);
    }

    /// <summary>By a signal, over the admin API and by a look at the file: the new process has read the old file.</summary>
    [Test]
    public async Task Reloads_are_held_back_during_an_upgrade_and_done_by_the_process_that_serves_afterwards()
    {
        await using Scene scene = await Scene.StartAsync("new.prepared:stop");
        Task<(int Code, string Output, string Errors)> upgrade = scene.Family.CommandAsync("upgrade");
        await scene.Family.UntilAsync(
            async () => (await scene.Family.StatusAsync()).TryGetProperty("upgrade", out JsonElement now)
                && now.ValueKind == JsonValueKind.Object && now.GetProperty("state").GetString() == "starting",
            "it is starting");
        (int code, JsonElement answer) = await scene.Family.PostAsync("/v1/reload");
        Assert.That(code, Is.EqualTo(409), answer.ToString());
        Assert.That(answer.GetProperty("detail").GetString(), Does.StartWith("an upgrade is under way: the reload is held back"));
        scene.Family.First.Signal(DaemonProcess.SIGHUP);
        await scene.Family.First.LineWithAsync("SIGHUP: requested a reload, which is held back");
        Assert.That(scene.Family.First.Output, Has.None.Contains("configuration reloaded"));
        await upgrade;
        await scene.Family.First.LineWithAsync("SIGHUP: configuration reloaded");
    }

    [TestCase("old.prepared:kill", Category = DaemonProcess.OfPublished)]
    [TestCase("old.suspended:kill")]
    public async Task A_third_process_can_start_if_the_old_one_is_killed_before_the_new_one_serves(string fault)
    {
        await using Scene scene = await Scene.StartAsync(fault);
        await scene.Family.PostUpgradeAsync();
        await scene.Family.UntilAsync(() => Task.FromResult(scene.Family.First.HasExited), "the old process is killed");
        await using DaemonProcess third = scene.Family.StartAgain();
        await scene.Family.UntilAsync(async () => await scene.Family.ServingAsync() == third.Id, "the third serves");
        Assert.That(await scene.LostAsync(), HasKeeper ? Is.Zero : Is.EqualTo(Many), scene.Said);
    }

    [TestCase("#!/bin/sh\nexit 3\n", "check ended with 3")]
    [TestCase("#!/bin/sh\necho 'balancer.toml:1:1: error: no' >&2\nexit 2\n", "check ended with 2: balancer.toml:1:1: error: no",
        Category = DaemonProcess.OfPublished)]
    [TestCase("#!/bin/sh\nsleep 600\n", "check has not ended within 6s", Category = DaemonProcess.OfPublished)]
    [TestCase("#!/bin/sh\ntest $1 = check || exit 7\n", "the new process has ended (exit code 7)", Category = DaemonProcess.OfPublished)]
    [TestCase("#!/bin/sh\ntest $1 = check && exit 0\nsleep 600\n", "the new process did not send Hello within 6s",
        Category = DaemonProcess.OfPublished)]
    [TestCase("no program at all\n", "cannot be started")]
    public async Task What_is_no_balancer_changes_nothing(string script, string why)
    {
        await using Scene scene = await Scene.StartAsync("none:hang");
        string file = Path.Combine(scene.Family.Folder, "new");
        await File.WriteAllTextAsync(file, script);
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        (int code, _, string errors) = await scene.Family.CommandAsync("upgrade", "--binary", file);
        Assert.That(code, Is.EqualTo(1));
        Assert.That(errors, Does.Contain(why));
        Assert.That(await scene.LostAsync(), Is.Zero, scene.Said);
        await scene.NextUpgradeWorksAsync();
        Assert.That(await scene.LostAsync(), Is.Zero, scene.Said);
    }

    [Test]
    public async Task A_new_process_that_may_open_too_few_descriptors_says_so()
    {
        await using Scene scene = await Scene.StartAsync(null);
        string file = Path.Combine(scene.Family.Folder, "new");
        await File.WriteAllTextAsync(file, $"#!/bin/sh\nulimit -n {DaemonProcess.OwnDescriptors + 44}\nexec {DaemonProcess.Command} \"$@\"\n");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        (int code, _, string errors) = await scene.Family.CommandAsync("upgrade", "--binary", file);
        Assert.That(code, Is.EqualTo(1));
        Assert.That(errors, Does.Contain("descriptor"));
        Assert.That(await scene.LostAsync(), Is.Zero, scene.Said);
        await scene.NextUpgradeWorksAsync();
    }

    [Test]
    public async Task A_later_version_with_more_to_say_is_understood()
    {
        await using Scene scene = await Scene.StartAsync("new.hello:next-version");
        (int code, _, string errors) = await scene.Family.CommandAsync("upgrade");
        Assert.That(code, Is.Zero, errors);
        Assert.That(await scene.LostAsync(), Is.Zero, scene.Said);
    }

    /// <summary>A daemon with connections whose bytes are checked all the time.</summary>
    private sealed class Scene : IAsyncDisposable
    {
        private readonly EchoPeer _backend;
        private readonly List<TcpClient> _clients = [];
        private readonly List<string> _losses = [];
        private int _round;

        private Scene(EchoPeer backend, DaemonFamily family)
        {
            _backend = backend;
            Family = family;
        }

        public DaemonFamily Family { get; }

        /// <summary>What the daemons have printed until now, and how connections were lost.</summary>
        public string Said() => string.Join('\n', _losses.Concat(Family.First.Output).Concat(Family.First.Errors));

        public static async Task<Scene> StartAsync(string? fault, string settings = "")
        {
            var backend = new EchoPeer();
            string config = OneBackend.Config(backend.Endpoint, balancer: $"workers = 2\n{settings}").Replace("[admin]\nsocket = \"\"\n", "", StringComparison.Ordinal);
            var scene = new Scene(backend, new DaemonFamily(config, fault, keeperFolder: settings.Length > 0));
            await scene.Family.First.ReadyAsync();
            IPEndPoint listener = await scene.Family.First.ListenerAsync("wss");
            for (int i = 0; i < Many; i++)
            {
                scene._clients.Add(await Talk.ConnectAsync(listener));
            }

            Assert.That(await scene.LostAsync(), Is.Zero, scene.Said);
            return scene;
        }

        /// <summary>How many connections have ended; those that live must send back what they get.</summary>
        public async Task<int> LostAsync()
        {
            int lost = 0;
            _round++;
            foreach (TcpClient client in _clients)
            {
                try
                {
                    string text = $"round {_round} of {client.Client.LocalEndPoint}";
                    Assert.That(await Talk.EchoAsync(client, text), Is.EqualTo(text));
                }
                catch (Exception e) when (e is IOException or EndOfStreamException or SocketException)
                {
                    lost++;
                    _losses.Add($"round {_round}: {client.Client.LocalEndPoint}: {e.Message}");
                }
            }

            return lost;
        }

        public async Task NextUpgradeWorksAsync()
        {
            int before = await Family.ServingAsync();
            IPEndPoint listener = await Family.First.ListenerAsync("wss");
            using TcpClient client = await Talk.ConnectAsync(listener);
            Assert.That(await Talk.EchoAsync(client, "between"), Is.EqualTo("between"));
            (int code, string output, string errors) = await Family.CommandAsync("upgrade");
            Assert.That(code, Is.Zero, $"{output}{errors}\n{string.Join('\n', Family.First.Output)}");
            JsonElement status = await Family.StatusAsync();
            Assert.That(status.GetProperty("pid").GetInt32(), Is.Not.EqualTo(before));
            Assert.That(await Talk.EchoAsync(client, "after"), Is.EqualTo("after"));
        }

        public async ValueTask DisposeAsync()
        {
            _clients.ForEach(c => c.Dispose());
            await Family.DisposeAsync();
            await _backend.DisposeAsync();
        }
    }
}
