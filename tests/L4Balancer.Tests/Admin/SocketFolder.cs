using System.Text.Json;

namespace L4Balancer.Tests.Admin;

/// <summary>A folder of a test's own for the local socket of its daemon, and who asks there.</summary>
internal sealed class SocketFolder : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("l4b-");
    private readonly Lazy<HttpClient> _http;

    public SocketFolder() => _http = new Lazy<HttpClient>(() => AdminScene.OverSocket(SocketPath));

    /// <summary>For <c>[admin] socket</c>.</summary>
    public string SocketPath => PathOf("admin.sock");

    /// <summary>Asks whatever daemon holds the socket.</summary>
    public HttpClient Http => _http.Value;

    /// <summary>Another file in there.</summary>
    public string PathOf(string name) => Path.Combine(_folder.FullName, name);

    public async Task<JsonElement> GetAsync(string path)
    {
        using var answer = JsonDocument.Parse(await Http.GetStringAsync(path));
        return answer.RootElement.Clone();
    }

    public void Dispose()
    {
        if (_http.IsValueCreated)
        {
            _http.Value.Dispose();
        }

        _folder.Delete(recursive: true);
    }
}
