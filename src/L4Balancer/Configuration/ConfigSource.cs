using System.Collections.Immutable;
using System.Globalization;

namespace L4Balancer.Configuration;

/// <summary>
/// Reads the configuration file, and the files that belong to it, for a reload. A read can hang for ever (a network file system, a pipe
/// without a writer) and cannot be interrupted: it runs on a separate thread, the reload waits for a limited time, and a later result is
/// dropped.
/// </summary>
/// <param name="path">The file, for the message.</param>
/// <param name="read">Blocks; runs on a separate thread. Its token is cancelled when the result is no longer needed.</param>
internal sealed class ConfigSource(string path, Func<CancellationToken, ReadConfig> read, TimeProvider clock)
{
    /// <summary>Far longer than a disk takes, and shorter than systemd waits for a reload (90 s).</summary>
    public static readonly TimeSpan Within = TimeSpan.FromSeconds(30);

    /// <summary>Each read that hangs keeps a thread, and a reload every minute must not accumulate them.</summary>
    internal const int MostHanging = 4;

    /// <summary>The error after that time, without the path.</summary>
    public static readonly string TooSlow = string.Create(
        CultureInfo.InvariantCulture,
        $"could not be read within {Within.TotalSeconds}s: check its file system, or the writing process if it is a pipe");

    private int _reading;

    /// <summary>Reads the files; the result holds the content, or why it could not be read.</summary>
    /// <exception cref="OperationCanceledException">The caller has cancelled the read.</exception>
    public async Task<ReadConfig> ReadAsync(CancellationToken cancel)
    {
        if (Volatile.Read(ref _reading) >= MostHanging)
        {
            return Failed($"was not read: {MostHanging} earlier reads are still blocked; check its file system, then restart the daemon");
        }

        var done = new TaskCompletionSource<ReadConfig>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var given = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        try
        {
            CancellationToken token = given.Token;
            new Thread(() => Read(done, token)) { Name = "l4b-read-config", IsBackground = true }.Start();
            return await done.Task.WaitAsync(Within, clock, cancel);
        }
        catch (TimeoutException)
        {
            await given.CancelAsync();
            return Failed(TooSlow);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // The thread could not be started, or reading has a bug; only this reload fails.
            return Failed($"was not read: {e.Message}");
        }
    }

    private ReadConfig Failed(string why) => ReadConfig.Failed(path, $"{path}: {why}");

    private void Read(TaskCompletionSource<ReadConfig> done, CancellationToken givenUp)
    {
        Interlocked.Increment(ref _reading);
        try
        {
            done.SetResult(read(givenUp));
        }
        catch (Exception e)
        {
            done.SetException(e);
        }
        finally
        {
            Interlocked.Decrement(ref _reading);
        }
    }
}

/// <summary>Everything that a reload reads, before any of it is put in force.</summary>
/// <param name="Lacking">What the machine lacks for it, one line each with how to correct it.</param>
/// <param name="Apply">Puts in force what was read beside the file.</param>
internal sealed record ReadConfig(ConfigFile File, ImmutableArray<string> Lacking, Action Apply)
{
    /// <summary>There is nothing to put in force.</summary>
    public static ReadConfig Failed(string path, string error) => new(new ConfigFile(path, null, [error]), [], static () => { });
}
