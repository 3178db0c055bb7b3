using System.Security.Cryptography;

namespace L4Balancer.Demo;

/// <summary>A bearer token that is valid while the demo runs, in a file and a directory that only its user may read.</summary>
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
