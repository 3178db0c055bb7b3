using System.Security.Cryptography;

namespace L4Balancer.Demo;

/// <summary>A bearer token for as long as the demo runs, in a file that only its user may read, as the folder is.</summary>
internal sealed class DemoToken : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("l4balancer-demo-");

    public DemoToken()
    {
        Path = System.IO.Path.Combine(_folder.FullName, "token");
        File.WriteAllText(Path, Text);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(Path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }
    }

    public string Path { get; }

    public string Text { get; } = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));

    public void Dispose() => _folder.Delete(recursive: true);
}
