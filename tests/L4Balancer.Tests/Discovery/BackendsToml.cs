using L4Balancer.Core.Discovery;

namespace L4Balancer.Tests.Discovery;

/// <summary>A file of the source <c>file</c>, replaced as a whole at each write.</summary>
internal sealed class BackendsToml : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("l4b-");

    public string Path => System.IO.Path.Combine(_folder.FullName, "chat.toml");

    public Task WriteAsync(IReadOnlyList<DiscoveredBackend> backends) =>
        WriteAsync(string.Concat(backends.Select(static b => $"[[backends]]\naddress = \"{b.Address}\"\nweight = {b.Weight}\n")));

    public async Task WriteAsync(string text)
    {
        string next = System.IO.Path.Combine(_folder.FullName, "next");
        await File.WriteAllTextAsync(next, text);
        File.Move(next, Path, overwrite: true);
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
