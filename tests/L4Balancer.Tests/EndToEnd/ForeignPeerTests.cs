namespace L4Balancer.Tests.EndToEnd;

/// <summary>
/// WebSocket servers and clients of other languages talk TLS through the daemon; each client compares every byte itself. They skip
/// where a language or package is missing, and say which.
/// </summary>
[CancelAfter(240_000)]
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class ForeignPeerTests
{
    private const int Connections = 500;
    private const int Largest = 20 * 1024 * 1024;

    /// <summary>Long polling is many requests on several connections: only the source address keeps them at one backend.</summary>
    private const string ByClient = """hash_key = ["source-ip"]""";

    [Test]
    public async Task The_ws_package_talks_through_the_daemon(CancellationToken cancel)
    {
        PeerProcess.RequireNode("ws");
        await TalkAsync("ws-server.js", "ws-client.js", Connections, [], "", backendsSeen: 2, cancel);
    }

    [Test]
    public async Task Socket_io_talks_through_the_daemon(CancellationToken cancel)
    {
        PeerProcess.RequireNode("socket.io", "socket.io-client");
        await TalkAsync("socketio-server.js", "socketio-client.js", Connections, ["websocket"], "", backendsSeen: 2, cancel);
    }

    [Test]
    public async Task Socket_io_upgrades_from_polling_where_the_source_address_alone_decides(CancellationToken cancel)
    {
        PeerProcess.RequireNode("socket.io", "socket.io-client");
        await TalkAsync("socketio-server.js", "socketio-client.js", 10, ["polling,websocket"], ByClient, backendsSeen: 1, cancel);
    }

    [Test]
    public async Task Python_websockets_talks_through_the_daemon(CancellationToken cancel)
    {
        PeerProcess.RequirePythonWebSockets();
        await TalkAsync("websockets_server.py", "websockets_client.py", Connections, [], "", backendsSeen: 2, cancel);
    }

    private static async Task TalkAsync(
        string server, string client, int connections, string[] clientArguments, string pool, int backendsSeen, CancellationToken cancel)
    {
        using BackendCertificate alphas = new("alpha"), betas = new("beta");
        await using PeerProcess alpha = PeerProcess.Start(server, "alpha", alphas.CertificateFile, alphas.KeyFile);
        await using PeerProcess beta = PeerProcess.Start(server, "beta", betas.CertificateFile, betas.KeyFile);
        await using Front front = await Front.StartAsync(
            [("alpha", await alpha.PortAsync(cancel)), ("beta", await beta.PortAsync(cancel))], pool);

        string trusted = Path.Combine(Path.GetDirectoryName(alphas.CertificateFile)!, "both.pem");
        await File.WriteAllTextAsync(
            trusted, await File.ReadAllTextAsync(alphas.CertificateFile, cancel) + await File.ReadAllTextAsync(betas.CertificateFile, cancel), cancel);
        await using PeerProcess talking = PeerProcess.Start(
            client, [$"{front.Listener.Port}", trusted, $"{connections}", $"{Largest}", .. clientArguments]);
        PeerReport report = PeerReport.Parse(await talking.OutputAsync(cancel));

        string[] own = [$"alpha {alphas.Fingerprint}", $"beta {betas.Fingerprint}"];
        Assert.That(report.Seen.Keys, Is.SubsetOf(own).And.Exactly(backendsSeen).Items, "a certificate is not the backend's own");
        Assert.That(report.Seen.Values.Sum(), Is.EqualTo(connections + 1));
        Assert.That(report.Bytes, Is.GreaterThan(Largest + (1000 * connections)));
        Assert.That(report.Pongs, Is.GreaterThan(0));
    }
}
