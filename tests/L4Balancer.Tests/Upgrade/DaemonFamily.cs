using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;

namespace L4Balancer.Tests.Upgrade;

/// <summary>
/// A daemon and the processes that replace it, with a local socket of their own. All of them are found by a variable in their environment, so that
/// none outlives the test.
/// </summary>
internal sealed class DaemonFamily : IAsyncDisposable
{
    private const string Mark = "L4BALANCER_TEST_FAMILY";

    private readonly string _mark = $"{Mark}={Guid.NewGuid():N}";
    private readonly string _folder = Directory.CreateTempSubdirectory("l4-upgrade-").FullName;
    private readonly HttpClient _http;

    /// <param name="toml">The configuration without <c>[admin]</c>.</param>
    /// <param name="fault">As L4BALANCER_FAULT; null: none.</param>
    /// <param name="keeperFolder">A daemon with a keeper has run here before.</param>
    /// <param name="prepare">Called with the folder before the first daemon is started.</param>
    public DaemonFamily(string toml, string? fault = null, bool keeperFolder = false, Action<string>? prepare = null)
    {
        prepare?.Invoke(_folder);
        if (keeperFolder && !OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(
                Path.Combine(_folder, "keeper"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        Config = Path.Combine(_folder, "balancer.toml");
        File.WriteAllText(Config, $"{toml}\n[admin]\nsocket = \"{Socket}\"\n");
        var environment = new Dictionary<string, string> { [Mark] = _mark[(Mark.Length + 1)..] };
        if (fault is not null)
        {
            environment["L4BALANCER_FAULT"] = fault;
        }

        First = DaemonProcess.Start(environment, [], "run", "--config", Config);
        _http = new HttpClient(new SocketsHttpHandler { ConnectCallback = ConnectAsync }) { BaseAddress = new Uri("http://localhost") };
    }

    /// <summary>As a service manager does after the end of the main process.</summary>
    public DaemonProcess StartAgain() =>
        DaemonProcess.Start(new Dictionary<string, string> { [Mark] = _mark[(Mark.Length + 1)..] }, [], "run", "--config", Config);

    /// <summary>What all of them write goes to the output of the first.</summary>
    public DaemonProcess First { get; }

    public string Folder => _folder;

    public string Config { get; }

    public string Socket => Path.Combine(_folder, "admin.sock");

    /// <summary>Those that live now, keepers and stopped ones included.</summary>
    public IReadOnlyList<int> Living => [.. Directory.EnumerateDirectories("/proc").Select(PidOf).Where(pid => pid > 0 && IsOfFamily(pid))];

    public Task<JsonElement> StatusAsync() => _http.GetFromJsonAsync<JsonElement>("/v1/status");

    /// <summary>The process that answers.</summary>
    public async Task<int> ServingAsync() => (await StatusAsync()).GetProperty("pid").GetInt32();

    public Task<(int Code, JsonElement Answer)> PostUpgradeAsync(object? body = null) => PostAsync("/v1/upgrade", body);

    public async Task<(int Code, JsonElement Answer)> PostAsync(string path, object? body = null)
    {
        using HttpResponseMessage response = body is null
            ? await _http.PostAsync(new Uri(path, UriKind.Relative), null)
            : await _http.PostAsJsonAsync(path, body);
        return ((int)response.StatusCode, await response.Content.ReadFromJsonAsync<JsonElement>());
    }

    /// <summary>Runs a command of l4balancer against this daemon.</summary>
    public async Task<(int Code, string Output, string Errors)> CommandAsync(params string[] args)
    {
        await using DaemonProcess command = DaemonProcess.Start([.. args, "--admin", Socket, .. DaemonProcess.Patiently]);
        int code = await command.ExitAsync(TimeSpan.FromMinutes(2));
        return (code, string.Join('\n', command.Output), string.Join('\n', command.Errors));
    }

    /// <summary>Waits for a condition, with the lines of the daemons as the reason if it does not come.</summary>
    public async Task UntilAsync(Func<Task<bool>> condition, string what)
    {
        var waited = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                if (await condition())
                {
                    return;
                }
            }
            catch (Exception e) when (e is HttpRequestException or IOException or SocketException)
            {
                // Nobody answers at this moment.
            }

            Assert.That(waited.Elapsed, Is.LessThan(DaemonProcess.Deadline), $"{what}\n{string.Join('\n', First.Output)}\n{string.Join('\n', First.Errors)}");
            await Task.Delay(20);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        while (Living is { Count: > 0 } left)
        {
            foreach (int pid in left)
            {
                try
                {
                    using Process process = Process.GetProcessById(pid);
                    process.Kill();
                }
                catch (Exception e) when (e is ArgumentException or InvalidOperationException or System.ComponentModel.Win32Exception)
                {
                    // It has ended.
                }
            }

            await Task.Delay(10);
        }

        await First.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private static int PidOf(string path) =>
        int.TryParse(Path.GetFileName(path), NumberStyles.None, CultureInfo.InvariantCulture, out int pid) ? pid : 0;

    private bool IsOfFamily(int pid)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/environ").Split('\0').Contains(_mark);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancel)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(Socket), cancel);
        return new NetworkStream(socket, ownsSocket: true);
    }
}
