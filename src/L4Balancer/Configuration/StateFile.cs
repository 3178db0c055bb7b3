using System.Text.Json;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Configuration;

/// <summary>
/// The file in which drain, maintenance and weights that operators set at run time outlive the process. One thread at a time; both operations may block
/// as long as the file system does.
/// </summary>
internal sealed class StateFile(string path, ILogger log)
{
    /// <summary>65,000 backends with names of the greatest length take less.</summary>
    private const int LargestFile = 64 << 20;

    private const string DirectoryVariable = "STATE_DIRECTORY";
    private const string DefaultName = "state.json";
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    public string Path => path;

    /// <summary>What <see cref="Load"/> has read; null if there was no file, or none that can be used.</summary>
    public SavedState? Loaded { get; private set; }

    /// <summary>
    /// The path: the configured one, else in the directory that the service manager has created (StateDirectory=, systemd.exec(5)); null if there is
    /// neither.
    /// </summary>
    public static string? PathFor(BalancerSettings settings, Func<string, string?> variable) =>
        settings.StateFile.Length > 0 ? settings.StateFile
        : variable(DirectoryVariable)?.Split(':')[0] is { Length: > 0 } directory ? System.IO.Path.Combine(directory, DefaultName)
        : null;

    /// <summary>
    /// Reads what was saved. Never throws: a file that cannot be used is renamed to <c>.bad</c>, with a warning, and the start goes on without it.
    /// </summary>
    public BackendOverrides Load(BalancerConfig config)
    {
        try
        {
            if (!File.Exists(path) && PlainFile.WhyNot(path) is null && !Directory.Exists(path))
            {
                return BackendOverrides.None;
            }

            SavedState saved = Parse(PlainFile.Read(path, LargestFile));
            Loaded = saved;
            BackendOverrides restored = saved.For(config);
            int count = restored.All.Count();
            if (saved.Backends.Length > 0)
            {
                log.StateRestored(path, count, saved.Backends.Length - count);
            }

            return restored;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            SetAside(e.Message.TrimEnd('.').ReplaceLineEndings(" "));
            return BackendOverrides.None;
        }
    }

    /// <summary>
    /// Replaces the file as a whole: what was written before stays if this fails, and a crash leaves the one or the other.
    /// </summary>
    /// <exception cref="IOException">The disk is full, or the directory is missing or cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">No permission.</exception>
    public void Write(SavedState state)
    {
        string temporary = path + ".tmp";
        File.Delete(temporary);
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = OwnerOnly;
            }

            using (var file = new FileStream(temporary, options))
            {
                JsonSerializer.Serialize(file, state, SavedStateJson.Default.SavedState);
                file.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            TryDelete(temporary);
            throw;
        }
    }

    private static SavedState Parse(byte[] text)
    {
        SavedState? saved = JsonSerializer.Deserialize(text, SavedStateJson.Default.SavedState);
        return saved is null || saved.Backends.IsDefault || saved.Backends.Any(static b => b is not { IsValid: true })
                ? throw new JsonException("it is not a state file of l4balancer")
            : saved.Version != SavedState.CurrentVersion
                ? throw new JsonException($"its version is {saved.Version}, and this daemon writes version {SavedState.CurrentVersion}")
            : saved;
    }

    private void SetAside(string why)
    {
        string aside = path + ".bad";
        try
        {
            File.Move(path, aside, overwrite: true);
            log.StateSetAside(path, why, aside);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            log.StateNotRead(path, why, e.Message.TrimEnd('.'));
        }
    }

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The failure that is reported is the one before.
        }
    }
}
