
namespace L4Balancer.Tests.Discovery.Zookeeper;

/// <summary>A ZooKeeper server of Debian's jar, or a member of an ensemble, with a folder and ports of its own. Disposal kills it.</summary>
internal sealed class ZookeeperServer : IAsyncDisposable
{
    private const string Jar = "/usr/share/java/zookeeper.jar";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("l4balancer-zookeeper-");
    private readonly StoreProcess _process;

    /// <param name="id">1 and above for a member of an ensemble.</param>
    /// <param name="members">The lines of the configuration that name all members.</param>
    public ZookeeperServer(int id = 0, params string[] members)
        : this("127.0.0.1", id, members)
    {
    }

    private ZookeeperServer(string host, int id, string[] members)
    {
        int port = StoreProcess.FreePorts(1)[0];
        string file = Path.Combine(_folder.FullName, "zoo.cfg");

        // Sessions last 2 to 20 ticks. Without the admin server and JMX there is no further port.
        File.WriteAllLines(
            file,
            [
                "tickTime=250", $"dataDir={Data}", $"clientPort={port}", $"clientPortAddress={host}", "admin.enableServer=false", "initLimit=40",
                "syncLimit=20", "forceSync=no", "skipACL=no", .. members,
            ]);
        MakeData(id);
        _process = new StoreProcess(
            "java",
            [
                "-Xmx96m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Dzookeeper.jmx.log4j.disable=true", "-cp",
                $"{Jar}:/usr/share/java/slf4j-nop.jar", "org.apache.zookeeper.server.quorum.QuorumPeerMain", file,
            ],
            port, host);
    }

    public StoreProcess Process => _process;

    public string Server => _process.Server;

    private string Data => Path.Combine(_folder.FullName, "data");

    private string Saved => Path.Combine(_folder.FullName, "saved");

    /// <summary>Skips the test where there is no ZooKeeper.</summary>
    public static void Require()
    {
        bool hasJava = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(p => File.Exists(Path.Combine(p, "java")));
        if (!hasJava || !File.Exists(Jar))
        {
            Assert.Ignore("no java, or no ZooKeeper (Debian's package libzookeeper-java, see .ci/test-deps)");
        }
    }

    public static async Task<ZookeeperServer> StartAsync(string host = "127.0.0.1")
    {
        Require();
        var server = new ZookeeperServer(host, 0, []);
        await server.Process.StartAsync();
        return server;
    }

    /// <summary>Killed and started without its data. What it had can be restored.</summary>
    public async Task WipeAsync()
    {
        await _process.KillAsync();
        Directory.Move(Data, Saved);
        MakeData(0);
        await _process.StartAsync();
    }

    /// <summary>Killed and started with the data from before it was wiped.</summary>
    public async Task RestoreAsync()
    {
        await _process.KillAsync();
        Directory.Delete(Data, recursive: true);
        Directory.Move(Saved, Data);
        await _process.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    private void MakeData(int id)
    {
        Directory.CreateDirectory(Data);
        if (id > 0)
        {
            File.WriteAllText(Path.Combine(Data, "myid"), $"{id}");
        }
    }
}
