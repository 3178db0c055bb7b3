using L4Balancer.Core.Config;

namespace L4Balancer.Discovery.RedisSentinel;

/// <summary>A connection to a Sentinel: commands in, values out, each limited in length and time. One caller at a time.</summary>
internal sealed class RespConnection : IAsyncDisposable
{
    /// <summary>So much of a password is never shown.</summary>
    private const int QuotedLength = 8;

    private readonly Stream _stream;
    private byte[] _buffer = new byte[16 * 1024];
    private int _count;
    private Task? _receiving;

    private RespConnection(Stream stream) => _stream = stream;

    /// <summary>Connects, and identifies itself where the configuration names a user.</summary>
    /// <exception cref="Exception">One of <see cref="StoreFault.IsExpected"/>.</exception>
    public static async Task<RespConnection> OpenAsync(string server, DiscoverySettings settings, CancellationToken cancel)
    {
        var connection = new RespConnection(await StoreConnection.OpenAsync(server, settings, cancel));
        try
        {
            if (settings.User.Length > 0)
            {
                string password = StoreConnection.ReadPassword(settings);

                // Sentinels before 6.2 know only one user, and only the form without a name.
                byte[] command = settings.User == "default" ? RespValue.Command("AUTH", password) : RespValue.Command("AUTH", settings.User, password);
                RespValue reply = await connection.AskAsync(command, cancel);
                if (reply.Kind == RespKind.Error)
                {
                    throw new StoreFault($"the user and the password are not accepted{Reason(reply, password)}");
                }
            }

            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    public async Task SendAsync(byte[] command, CancellationToken cancel) => await _stream.WriteAsync(command, cancel);

    public async Task<RespValue> AskAsync(byte[] command, CancellationToken cancel)
    {
        await SendAsync(command, cancel);
        return await ReceiveAsync(cancel);
    }

    /// <summary>The next value.</summary>
    /// <exception cref="Exception">One of <see cref="StoreFault.IsExpected"/>.</exception>
    public async Task<RespValue> ReceiveAsync(CancellationToken cancel)
    {
        while (true)
        {
            if (TryTake(out RespValue? value))
            {
                return value!;
            }

            await (_receiving ??= FillAsync()).WaitAsync(cancel);
            _receiving = null;
        }
    }

    /// <summary>Waits until bytes have arrived, or the time has passed.</summary>
    /// <returns>Whether there may be a value.</returns>
    /// <exception cref="Exception">One of <see cref="StoreFault.IsExpected"/>.</exception>
    public async Task<bool> WaitAsync(TimeSpan atMost, TimeProvider clock, CancellationToken cancel)
    {
        Task receiving = _receiving ??= FillAsync();
        using var heard = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        await Task.WhenAny(receiving, Task.Delay(atMost, clock, heard.Token));
        await heard.CancelAsync();
        cancel.ThrowIfCancellationRequested();
        if (!receiving.IsCompleted)
        {
            return false;
        }

        _receiving = null;
        await receiving;
        return true;
    }

    /// <summary>Takes a value that has arrived wholly.</summary>
    /// <exception cref="StoreFault">What has arrived is not RESP.</exception>
    public bool TryTake(out RespValue? value)
    {
        value = null;
        if (_receiving is { IsCompleted: false } || _count == 0)
        {
            return false;
        }

        switch (RespValue.TryParse(_buffer.AsSpan(0, _count), out RespValue read, out int length))
        {
            case RespOutcome.Parsed:
                _buffer.AsSpan(length, _count - length).CopyTo(_buffer);
                _count -= length;
                value = read;
                return true;
            case RespOutcome.NeedMore:
                return false;
            default:
                throw new StoreFault("it does not answer as a Sentinel does");
        }
    }

    /// <summary>The text of a reply for a message: in one line, and limited in length.</summary>
    public static string TextOf(RespValue reply) => Quoted.Text(reply.Text);

    public async ValueTask DisposeAsync()
    {
        await _stream.DisposeAsync();
        if (_receiving is Task receiving)
        {
            await receiving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    // A server that does not know the command quotes its arguments, the beginning of each at least.
    private static string Reason(RespValue reply, string password) =>
        reply.Text.Contains(password[..Math.Min(password.Length, QuotedLength)], StringComparison.Ordinal) ? "" : $" ({TextOf(reply)})";

    private async Task FillAsync()
    {
        if (_count == _buffer.Length)
        {
            Array.Resize(ref _buffer, Math.Min(_buffer.Length * 2, RespValue.Longest));
        }

        int count = await _stream.ReadAsync(_buffer.AsMemory(_count), CancellationToken.None);
        _count += count;
        if (count == 0)
        {
            throw new EndOfStreamException();
        }
    }
}
