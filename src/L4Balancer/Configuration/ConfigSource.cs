using System.Collections.Immutable;
using System.Globalization;

namespace L4Balancer.Configuration;

/// <summary>
/// The file that is read again at a reload, with what belongs to it. A read can hang for ever (a network file system, a pipe that nobody
/// writes to) and nothing cuts it short: it has a thread of its own, is waited for only so long, and what it brings after that is dropped.
/// </summary>
/// <param name="path">The file, for the message.</param>
/// <param name="read">Blocks; runs on a thread of its own. Its token says that nobody waits for it any more.</param>
internal sealed class ConfigSource(string path, Func<CancellationToken, ReadConfig> read, TimeProvider clock)
{
    /// <summary>Far beyond what a disk takes, and within what systemd waits for a reload (90 s).</summary>
    public static readonly TimeSpan Within = TimeSpan.FromSeconds(30);

    /// <summary>Each read that hangs keeps a thread: a reload every minute must not collect them.</summary>
    internal const int MostHanging = 4;

    private int _reading;

    /// <summary>What the file says, or why that is not known.</summary>
    /// <exception cref="OperationCanceledException">Nobody wants to know any more.</exception>
    public async Task<ReadConfig> ReadAsync(CancellationToken cancel)
    {
        if (Volatile.Read(ref _reading) >= MostHanging)
        {
            return Failed($"is not read: {MostHanging} reads of it hang already; see to its file system, then restart");
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
            return Failed(string.Create(
                CultureInfo.InvariantCulture,
                $"could not be read within {Within.TotalSeconds}s: see to its file system, or to who writes to it if it is a pipe"));
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // A thread that could not be started; or a fault of ours in reading, which is one reload's and no more.
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

/// <summary>Everything that a reload reads, before anything of it is put in force.</summary>
/// <param name="Lacking">What the machine lacks for it, one line with the mend each.</param>
/// <param name="Apply">Puts in force what else was read beside the file.</param>
internal sealed record ReadConfig(ConfigFile File, ImmutableArray<string> Lacking, Action Apply)
{
    /// <summary>There is nothing to put in force.</summary>
    public static ReadConfig Failed(string path, string error) => new(new ConfigFile(path, null, [error]), [], static () => { });
}
