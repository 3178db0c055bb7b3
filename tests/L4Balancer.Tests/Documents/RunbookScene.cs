using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace L4Balancer.Tests.Documents;

/// <summary>
/// A host as the pages assume one: a daemon with three backends, its commands on the path, and in the place of what would change the host
/// (other machines, units, the kernel's settings) programs that do nothing but fail where there is no such thing.
/// </summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
internal sealed class RunbookScene : IAsyncDisposable
{
    public const string Token = "0123456789abcdef";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("l4b-");
    private readonly EchoPeer[] _backends = [new(), new(), new()];
    private readonly DaemonProcess _daemon;
    private readonly string _config;

    private RunbookScene()
    {
        File.WriteAllText(PathOf("token"), Token);
        File.SetUnixFileMode(PathOf("token"), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        _config = DaemonProcess.ConfigFileWith($"""
            [balancer]
            access_log = "all"
            shutdown_grace = "0s"
            [admin]
            socket = "{Socket}"
            listen = "127.0.0.1:0"
            token_file = "{PathOf("token")}"
            [[listeners]]
            name = "wss"
            bind = ["127.0.0.1:0"]
            pool = "chat"
            [[pools]]
            name = "chat"
            close_rate = 1000
            backends = [{string.Join(", ", _backends.Select((b, i) => $"{{ name = \"ws{i + 1}\", address = \"{b.Endpoint}\", public_url = \"wss://ws{i + 1}.example.com\" }}"))}]

            """);
        _daemon = DaemonProcess.Start("run", "--config", _config);
    }

    public string Socket => PathOf("admin.sock");

    /// <summary>Of the API over TCP.</summary>
    public string Admin { get; private set; } = "";

    public IPEndPoint Listener { get; private set; } = new(0, 0);

    public static async Task<RunbookScene> StartAsync()
    {
        var scene = new RunbookScene();
        try
        {
            await scene._daemon.ReadyAsync();
            scene.Listener = await scene._daemon.ListenerAsync("wss");
            scene.Admin = (await scene._daemon.LineWithAsync("admin API on http://")).Split("http://")[1];
            scene.OfferAll();
            return scene;
        }
        catch
        {
            await scene.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs lines of a page as a shell would in which they are typed; the first that fails ends it.</summary>
    /// <returns>The exit code, and everything that was printed.</returns>
    public async Task<(int Code, string Output)> TypeAsync(string lines)
    {
        await File.WriteAllLinesAsync(PathOf("journal"), _daemon.Output);
        var start = new ProcessStartInfo("bash", ["-e", "-o", "pipefail", "-c", $"exec 2>&1\n{lines}"])
        {
            RedirectStandardOutput = true,
            WorkingDirectory = _folder.FullName,
        };
        start.Environment["PATH"] = $"{_folder.FullName}:{Environment.GetEnvironmentVariable("PATH")}";
        start.Environment["L4BALANCER_CONFIG"] = _config;
        using Process shell = Process.Start(start)!;
        string output = await shell.StandardOutput.ReadToEndAsync().WaitAsync(DaemonProcess.Deadline);
        await shell.WaitForExitAsync().WaitAsync(DaemonProcess.Deadline);
        return (shell.ExitCode, output);
    }

    public async ValueTask DisposeAsync()
    {
        EndReplacements();
        await _daemon.DisposeAsync();
        foreach (EchoPeer backend in _backends)
        {
            await backend.DisposeAsync();
        }

        _folder.Delete(recursive: true);
    }

    // A page that upgrades the daemon leaves a process that is no child of the tests; its command line names the file that only this scene has.
    private void EndReplacements()
    {
        foreach (string process in Directory.EnumerateDirectories("/proc").Where(p => int.TryParse(Path.GetFileName(p), out int id) && id != _daemon.Id))
        {
            try
            {
                if (File.ReadAllText(Path.Combine(process, "cmdline")).Contains(_config, StringComparison.Ordinal))
                {
                    using var replacement = Process.GetProcessById(int.Parse(Path.GetFileName(process), CultureInfo.InvariantCulture));
                    replacement.Kill();
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or InvalidOperationException or Win32Exception)
            {
                // It has ended meanwhile.
            }
        }
    }

    private void OfferAll()
    {
        Offer("l4balancer", $"""case "$1" in check) admin= ;; *) admin="--admin {Socket}" ;; esac; exec {DaemonProcess.Command} "$@" $admin""");
        Offer("ssh", "test $# -ge 2");
        Offer("systemctl", """case "$1" in edit | status | reload) test "$2" = l4balancer ;; *) exit 1 ;; esac""");
        Offer("sysctl", """test "$1" = -w && test -e "/proc/sys/$(echo "${2%%=*}" | tr . /)" """);
        Offer("journalctl", $"cat {PathOf("journal")}");
    }

    private string PathOf(string name) => Path.Combine(_folder.FullName, name);

    private void Offer(string program, string body)
    {
        File.WriteAllText(PathOf(program), $"#!/bin/sh\n{body}\n");
        File.SetUnixFileMode(PathOf(program), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }
}
