using System.Diagnostics;
using L4Balancer.Configuration;

namespace L4Balancer.Tests.Configuration;

internal sealed class ConfigFileTests
{
    [Test]
    [Platform("Linux")]
    [CancelAfter(60_000)]
    public async Task A_pipe_is_read_to_its_end(CancellationToken cancel)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("l4b-");
        string path = Path.Combine(folder.FullName, "pipe.toml");
        using (Process fifo = Process.Start("mkfifo", path))
        {
            await fifo.WaitForExitAsync(cancel);
        }

        try
        {
            Task writing = Task.Run(() => File.WriteAllText(path, "[balancer]\nworkrs = 3\n"), cancel);
            ConfigFile file = await Task.Run(() => ConfigFile.Load(path), cancel).WaitAsync(cancel);
            await writing.WaitAsync(cancel);

            Assert.That(file.Errors, Has.Some.Contains("pipe.toml:2:1: error: balancer.workrs"));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
